"""Health, ready, and the two web pages: the one for people, and the contract's."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from ingest_fn.dependencies import Ctx
from shared.domain.errors import PagemillError
from shared.metrics import CONTENT_TYPE

router = APIRouter()

_INLINE = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL)


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


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(context: Ctx) -> PlainTextResponse:
    """The figures of the process that answers, as Prometheus scrapes them."""
    return PlainTextResponse(context.platform.metrics.exposed(), media_type=CONTENT_TYPE)


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def page() -> HTMLResponse:
    return _web_page("index.html")


@router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
def docs() -> HTMLResponse:
    return _web_page("docs.html")


def _web_page(name: str) -> HTMLResponse:
    html, policy = _read(name)
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return HTMLResponse(html, headers=headers)


@cache
def _read(name: str) -> tuple[str, str]:
    """Return the file and its policy: nothing comes from anywhere else, and no text becomes HTML in the browser."""
    html = files("ingest_fn.page").joinpath(name).read_text(encoding="utf-8")
    return html, _policy(html)


def _policy(html: str) -> str:
    """Only the script and the style that stand in the file run: each is allowed by its hash."""
    allowed = {
        tag: f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for tag, text in _INLINE.findall(html)
    }
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {allowed['script']}",
            f"style-src {allowed['style']}",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
