"""The service itself: alive, ready, and the web page."""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from ingest_fn.context import Ctx
from shared.domain.errors import PagemillError

router = APIRouter()


@router.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/ready")
def ready(context: Ctx) -> JSONResponse:
    missing: dict[str, str] = {}
    for name, check in context.checks.items():
        try:
            check()
        except PagemillError as error:
            missing[name] = error.public
    body: dict[str, Any] = {"status": "unavailable", "missing": missing} if missing else {"status": "ready"}
    return JSONResponse(body, status_code=503 if missing else 200)


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def page() -> HTMLResponse:
    """One file: no script, style or font comes from anywhere else."""
    html = files("ingest_fn.page").joinpath("index.html").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self'; connect-src 'self'"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})
