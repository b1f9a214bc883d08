"""Is vLLM there, does it serve our model, and does it answer a question that is surely right?"""

import http
import json
import time

import numpy as np

from gpu_worker.engines.vl.answer import Garbage, read_answer
from gpu_worker.engines.vl.body import Bodies
from gpu_worker.engines.vl.connection import Address, Broken, Connection, NotConnected, Reply, TimedOut
from gpu_worker.engines.vl.picture import picture_of
from gpu_worker.engines.vl.question import Question
from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane

LOOK_SECONDS = 5.0
SURE_SECONDS = 30.0
"""A server with a full queue takes this long for one token; one that takes longer is as good as away."""
TRUSTED_SECONDS = 1.0

_SIDE = 56


class Probe:
    """Each look is a connection of its own, since a kept one tells of the past. Safe to use from any thread."""

    def __init__(self, address: Address, bodies: Bodies, *, model: str, seconds: float) -> None:
        self._address = address
        self._bodies = bodies
        self._model = model
        self._seconds = min(SURE_SECONDS, seconds)
        self._was_sure = -TRUSTED_SECONDS
        self._open: set[Connection] = set()
        self._is_closed = False

    def check(self) -> None:
        """Raise EngineUnavailable where /health is not 200, or the model is not served."""
        self.check_health()
        self.check_model()

    def check_health(self) -> None:
        self._get("/health")

    def check_model(self) -> None:
        served = _names(self._get("/v1/models").body)
        if self._model not in served:
            raise EngineUnavailable(f"vLLM serves {', '.join(served) or 'no model'}, not {self._model}")

    def look(self) -> None:
        """Raise EngineUnavailable where the server is not well: as `check`, and as `be_sure`."""
        self.check()
        self.be_sure()

    def is_there(self) -> bool:
        try:
            self.check_health()
        except EngineUnavailable:
            return False
        return True

    def be_sure(self) -> None:
        """Raise EngineUnavailable where a question that is surely right gets no answer.

        What settles whose fault it is that another question got none. The answer counts for a second.
        """
        if time.monotonic() - self._was_sure < TRUSTED_SECONDS:
            return
        reply = self._exchange("POST", "/v1/chat/completions", self._bodies.of(_surely_right()), self._seconds)
        try:
            read_answer(reply.body, seconds=0.0)
        except Garbage as error:
            raise EngineUnavailable(f"vLLM answers what is no answer: {error}") from error
        self._was_sure = time.monotonic()

    def close(self) -> None:
        """Break off what is being asked, from any thread."""
        self._is_closed = True
        for connection in list(self._open):
            connection.abort()

    def _get(self, path: str) -> Reply:
        return self._exchange("GET", path, None, LOOK_SECONDS)

    def _exchange(self, method: str, path: str, body: bytes | None, seconds: float) -> Reply:
        connection = Connection(self._address)
        self._open.add(connection)
        try:
            if self._is_closed:
                raise EngineUnavailable("the client is closed")
            reply = connection.exchange(method, path, body, seconds=seconds)
        except (NotConnected, Broken, TimedOut) as error:
            raise EngineUnavailable(f"{path}: {error}") from error
        finally:
            self._open.discard(connection)
            connection.close()
        if reply.status != http.HTTPStatus.OK:
            raise EngineUnavailable(f"{path} answers {reply.status}: {reply.body[:200]!r}")
        return reply


def _surely_right() -> Question:
    """Small, and to be answered with one token; in the bulk lane, whose priority a server may not know."""
    crop = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    crop[_SIDE // 3 : 2 * _SIDE // 3, _SIDE // 3 : 2 * _SIDE // 3] = 0
    pixels = _SIDE * _SIDE
    return Question(
        picture=picture_of(crop), prompt="OCR:", lane=Lane.BULK, min_pixels=pixels, max_pixels=4 * pixels, most_tokens=1
    )


def _names(body: bytes) -> list[str]:
    try:
        return [str(model["id"]) for model in json.loads(body)["data"]]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise EngineUnavailable(f"/v1/models answers what is no list of models: {body[:200]!r}") from error
