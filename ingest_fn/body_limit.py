"""No request body is read past a limit, whatever its headers promise."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.domain.errors import TooLarge

LARGEST_JSON = 1_000_000
_FORM_ROOM = 1_000_000
"""For the form's other fields and its boundaries, beside the file."""


class BodyLimit:
    """Raises TooLarge where the application reads past the limit: `largest_file` in a form or an upload, else 1 MB."""

    def __init__(self, app: ASGIApp, *, largest_file: int) -> None:
        self._app, self._largest_file = app, largest_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        most = self._most(scope, headers)
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

    def _most(self, scope: Scope, headers: Headers) -> int:
        if headers.get("content-type", "").startswith("multipart/form-data"):
            return self._largest_file + _FORM_ROOM
        is_upload = scope["method"] == "PUT" and scope["path"].startswith("/objects/")
        return self._largest_file if is_upload else LARGEST_JSON


def _too_large(most: int) -> TooLarge:
    return TooLarge(public=f"The request is larger than {most:,} bytes, the most that is accepted.")
