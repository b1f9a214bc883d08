"""One question until it is answered, refused, or vLLM is found to be away."""

import email.utils
import http
import logging
import random
import threading
import time
from datetime import UTC, datetime

from gpu_worker.engines.vl.answer import Garbage, read_answer
from gpu_worker.engines.vl.circuit import Circuit
from gpu_worker.engines.vl.connection import Broken, Connection, NotConnected, Reply, TimedOut
from gpu_worker.engines.vl.probe import SURE_SECONDS, Probe
from gpu_worker.engines.vl.question import Answer, BlockRefused
from shared.domain.errors import EngineDied, EngineUnavailable

MOST_TRIES = 5
MOST_TIMEOUTS = 2
LONGEST_PAUSE = 30.0

_PATH = "/v1/chat/completions"
_FIRST_PAUSE = 0.2
_OF_THE_BLOCK = frozenset(
    {
        http.HTTPStatus.BAD_REQUEST,
        http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        http.HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_CHANCE = random.SystemRandom()

logger = logging.getLogger(__name__)


class _Failed(Exception):
    """One try, which another may follow. `pause` is what the server asked for, in seconds.

    `may_be_the_block`: the server had the question, and did not say that it has no time.
    """

    def __init__(
        self, why: str, *, may_be_the_block: bool = True, is_timeout: bool = False, pause: float | None = None
    ) -> None:
        super().__init__(why)
        self.may_be_the_block = may_be_the_block
        self.is_timeout = is_timeout
        self.pause = pause


class Asking:
    """Asks over one connection, in one thread."""

    def __init__(
        self,
        connection: Connection,
        *,
        circuit: Circuit,
        probe: Probe,
        stopping: threading.Event,
        seconds: float,
    ) -> None:
        self._connection = connection
        self._circuit = circuit
        self._probe = probe
        self._stopping = stopping
        self._seconds = seconds

    def ask(self, body: bytes) -> Answer:
        """Raises BlockRefused, EngineUnavailable and EngineDied."""
        try:
            return self._tried(body)
        except _Failed as failure:
            return self._asked_once_more(body, failure)

    def _tried(self, body: bytes) -> Answer:
        """Raises _Failed for the last try."""
        timeouts = 0
        for count in range(MOST_TRIES):
            try:
                return self._try(body)
            except _Failed as failure:
                timeouts += failure.is_timeout
                if count == MOST_TRIES - 1 or timeouts == MOST_TIMEOUTS:
                    raise
                self._wait(_pause(count) if failure.pause is None else failure.pause)
        raise AssertionError("the last try returns or raises")

    def _asked_once_more(self, body: bytes, failure: _Failed) -> Answer:
        """It is the block's fault only if the server does answer what is surely right, and then not this."""
        if not failure.may_be_the_block:
            raise EngineUnavailable(str(failure)) from failure
        self._be_sure()
        try:
            return self._try(body)
        except _Failed as last:
            if not last.may_be_the_block:
                raise EngineUnavailable(str(last)) from last
            raise BlockRefused(f"asked {MOST_TRIES} times: {last}") from failure

    def _be_sure(self) -> None:
        try:
            self._probe.be_sure()
        except EngineUnavailable as error:
            self._circuit.open(str(error))
            raise

    def _try(self, body: bytes) -> Answer:
        self._check()
        began = time.monotonic()
        try:
            reply = self._connection.exchange("POST", _PATH, body, seconds=self._seconds)
        except NotConnected as error:
            self._note(str(error), began)
            raise _Failed(str(error), may_be_the_block=False) from error
        except TimedOut as error:
            self._note(str(error), began)
            raise _Failed(str(error), is_timeout=True) from error
        except Broken as error:
            self._note(str(error), began)
            self._look_for_the_dead(str(error))
            raise _Failed(str(error)) from error
        if reply.status == http.HTTPStatus.OK:
            return self._read(reply.body, began)
        raise self._verdict(reply, began)

    def _read(self, body: bytes, began: float) -> Answer:
        try:
            answer = read_answer(body, seconds=time.monotonic() - began)
        except Garbage as error:
            self._note(str(error), began)
            raise _Failed(str(error)) from error
        self._circuit.succeeded()
        return answer

    def _verdict(self, reply: Reply, began: float) -> Exception:
        """_Failed where another try may help, BlockRefused where it won't, EngineUnavailable where none will."""
        said = f"vLLM answers {reply.status}: {reply.body[:200]!r}"
        match reply.status:
            case http.HTTPStatus.TOO_MANY_REQUESTS:
                return _Failed(said, may_be_the_block=False, pause=_retry_after(reply.retry_after))
            case http.HTTPStatus.SERVICE_UNAVAILABLE | http.HTTPStatus.REQUEST_TIMEOUT:
                self._note(said, began)
                return _Failed(said, may_be_the_block=False, pause=_retry_after(reply.retry_after))
            case status if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
                self._note(said, began)
                self._look_for_the_dead(said)
                return _Failed(said)
            case status if status in _OF_THE_BLOCK:
                self._be_sure()
                return BlockRefused(said)
        self._circuit.open(said)
        return EngineUnavailable(said)

    def _look_for_the_dead(self, why: str) -> None:
        """Raise EngineDied where the server that had the question is gone, whoever found out first."""
        if not self._probe.is_there():
            self._circuit.open(why)
            raise EngineDied(f"vLLM went away while it had the question: {why}")

    def _note(self, why: str, began: float) -> None:
        self._check_open()
        self._circuit.failed(why, asked_at=began)
        logger.info("a question to vLLM failed: %s", why)

    def _wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)
        self._check()

    def _check(self) -> None:
        self._check_open()
        self._circuit.check()

    def _check_open(self) -> None:
        if self._stopping.is_set():
            raise EngineUnavailable("the client is closed")


def longest_question(seconds: float) -> float:
    """Return how long one takes that hangs, `seconds` each time, until it is settled whose fault that is."""
    return (MOST_TIMEOUTS + 1) * seconds + MOST_TIMEOUTS * LONGEST_PAUSE + SURE_SECONDS


def _pause(count: int) -> float:
    """Full jitter, so that those who failed together don't come back together."""
    return _CHANCE.uniform(0.5, 1.0) * _FIRST_PAUSE * 2.0**count


def _retry_after(header: str | None) -> float | None:
    """Seconds or a date, as RFC 9110 has them; None where there is neither."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(LONGEST_PAUSE, max(0.0, seconds))
