"""Numbers of things in messages."""


def counted(number: int, thing: str, things: str | None = None) -> str:
    """ "1 row", "2 rows"; `things` is the plural where that is not the singular with an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"
