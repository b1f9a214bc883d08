"""How google-auth makes requests of its own: for tokens, signatures, certificates."""

from collections.abc import Callable
from functools import partial
from typing import Any

from google.auth.transport.requests import Request

Transport = Callable[..., Any]

_SECONDS = 10


def timed_transport() -> Transport:
    """Return one that waits as long as we do; of itself it would wait for two minutes."""
    return partial(Request(), timeout=_SECONDS)
