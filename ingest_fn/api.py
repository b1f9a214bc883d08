"""The HTTP API, put together: routes, errors, limits. Each route parses, calls, and answers."""

from importlib.metadata import version

from fastapi import FastAPI

from ingest_fn import problems, routes_infer, routes_jobs, routes_pages, routes_service
from ingest_fn.body_limit import BodyLimit
from ingest_fn.context import Context


def api(context: Context) -> FastAPI:
    app = FastAPI(
        title="pagemill",
        version=version("pagemill"),
        description="Documents in, Markdown out. Errors are RFC 9457 problem details with a stable `code`.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    problems.install(app)
    for module in (routes_service, routes_infer, routes_jobs, routes_pages):
        app.include_router(module.router)
    app.add_middleware(BodyLimit, largest_file=context.platform.settings.max_bytes)
    return app
