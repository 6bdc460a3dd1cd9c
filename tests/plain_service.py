"""`python -m tests.plain_service`: the service with uvicorn's own protocol.

Every request goes through the ASGI front then, also those that are answered without it.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.__main__ import main
from service.process import server

if __name__ == "__main__":
    vars(server)["DirectProtocol"] = HttpToolsProtocol
    main()
