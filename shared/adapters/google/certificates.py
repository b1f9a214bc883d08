"""Google's certificates for the tokens that it issues, kept as long as it says that they hold."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from shared.adapters.google.errors import google_errors
from shared.adapters.google.transport import Transport, timed_transport
from shared.domain.errors import Unavailable

URL = "https://www.googleapis.com/oauth2/v1/certs"

_MAX_AGE = re.compile(r"max-age=(\d{1,6})")
_UNTOLD_SECONDS = 3600.0
_SOONEST_SECONDS = 60.0
"""Between two fetches for a key that nobody knows: a stranger can name as many as they like."""


class Certificates:
    def __init__(
        self, *, url: str = URL, transport: Transport | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._transport, self._clock = url, transport or timed_transport(), clock
        self._lock = threading.Lock()
        self._known: Mapping[str, str] = {}
        self._fresh_until = self._not_before = 0.0

    def for_key(self, key_id: object) -> Mapping[str, str]:
        """Return the certificates by the ids of their keys, fetched anew where it may help. Raises Unavailable."""
        with self._lock:
            now = self._clock()
            if now >= self._fresh_until or (key_id not in self._known and now >= self._not_before):
                self._fetch(now)
            return self._known

    def _fetch(self, now: float) -> None:
        with google_errors("certificates"):
            response = self._transport(self._url, method="GET")
        try:
            known = json.loads(response.data) if response.status == HTTPStatus.OK else None
        except ValueError:
            known = None
        if not isinstance(known, dict) or not all(isinstance(each, str) for each in known.values()):
            raise Unavailable(f"certificates: status {response.status}")
        age = _MAX_AGE.search(response.headers.get("cache-control", ""))
        self._known = known
        self._fresh_until = now + (float(age[1]) if age else _UNTOLD_SECONDS)
        self._not_before = now + _SOONEST_SECONDS
