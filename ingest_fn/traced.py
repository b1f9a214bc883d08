"""A span around each request, in the trace that the caller names, if it names one."""

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.tracing import span


class Traced:
    """Notes method, route and status; no path nor query, which hold ids, signatures and keys."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, parent = str(scope["method"]), Headers(scope=scope).get("traceparent")
        with span(method, parent={"traceparent": parent} if parent else None, kind=SpanKind.SERVER) as current:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    current.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                if (route := getattr(scope.get("route"), "path", None)) is not None:
                    current.update_name(f"{method} {route}")
                    current.set_attribute("http.route", route)
