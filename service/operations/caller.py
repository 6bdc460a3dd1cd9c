"""Who asks."""

from service.records import record
from service.stores.store import Identity


@record
class Caller:
    """Sees the sessions of its tenant and no others. There is one tenant, "", for now."""

    tenant: str = ""

    def identity(self, session_id: str) -> Identity:
        """What the caller means by an id."""
        return Identity(self.tenant, session_id)


ANYBODY = Caller()
