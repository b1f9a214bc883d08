"""No request body is read past a limit, whatever its headers promise."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.domain.errors import TooLarge

LARGEST_JSON = 1_000_000
_FORM_ROOM = 1_000_000
"""For the form's other fields and its boundaries, beside the file."""


class BodyLimit:
    """Raises TooLarge where the application reads on past the limit: `largest_file` bytes in a form, else 1 MB."""

    def __init__(self, app: ASGIApp, *, largest_file: int) -> None:
        self._app, self._largest_file = app, largest_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_form = headers.get("content-type", "").startswith("multipart/form-data")
        most = self._largest_file + _FORM_ROOM if is_form else LARGEST_JSON
        length = headers.get("content-length", "0")
        promised = int(length) if length.isdecimal() else 0
        read = 0

        async def counted() -> Message:
            nonlocal read
            if promised > most:
                raise _too_large(most)
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise _too_large(most)
            return message

        await self._app(scope, counted, send)


def _too_large(most: int) -> TooLarge:
    return TooLarge(public=f"The request is larger than {most:,} bytes, the most that is accepted.")
