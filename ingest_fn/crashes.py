"""The end of an error that nobody had thought of, at the edge of the API: logged as ours, answered, told to nobody."""

import logging
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest_fn.problems import problem
from shared.metrics import Metrics

log = logging.getLogger(__name__)


class Crashes:
    """Wraps all of the application: who serves it, be it functions-framework, would log the path and the error's text.

    An answer that has begun is left as it is; the server sees that it never ended, and breaks the connection off.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            self._metrics.crashes.inc()
            log.exception("crashed", extra={"loop": "api"})
            if scope["type"] == "http" and not has_begun:
                answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
                await answer(scope, receive, send)
