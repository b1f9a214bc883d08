"""The HTTP API, put together: routes, errors, limits. Each route parses, calls, and answers."""

from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig

from ingest_fn import (
    problems,
    routes_batches,
    routes_costs,
    routes_infer,
    routes_jobs,
    routes_pages,
    routes_service,
    routes_uploads,
)
from ingest_fn.body_limit import BodyLimit
from ingest_fn.context import Context
from ingest_fn.crashes import Crashes
from ingest_fn.dependencies import same_origin
from ingest_fn.traced import Traced

_NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, operation_spans=False)
"""FastAPI's own would tell collectors of paths, queries and exceptions' texts; `Traced` tells of none."""


def api(context: Context) -> FastAPI:
    app = FastAPI(
        title="pagemill",
        version=version("pagemill"),
        description="Documents in, Markdown out. Errors are RFC 9457 problem details with a stable `code`.",
        dependencies=[Depends(same_origin)],
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.context = context
    problems.install(app)
    for module in (
        routes_service,
        routes_infer,
        routes_uploads,
        routes_jobs,
        routes_pages,
        routes_batches,
        routes_costs,
    ):
        app.include_router(module.router)
    app.add_middleware(BodyLimit, largest_file=context.platform.settings.max_bytes)
    app.add_middleware(Traced)
    app.add_middleware(Crashes, metrics=context.platform.metrics)  # added last, it is the outermost
    _describe_bodies(app)
    return app


def _describe_bodies(app: FastAPI) -> None:
    """Add the schemas that `POST /infer` refers to: it reads its body itself, so FastAPI does not know them."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generated()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(routes_infer.body_schemas())
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI wants its contract extended
