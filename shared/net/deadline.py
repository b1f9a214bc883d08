"""A limit on a whole exchange: httpx's own timeouts begin anew with every byte that arrives."""

import ssl
import time
from typing import Any

import httpcore
import httpx


class OutOfTime(httpx.TimeoutException):
    """The exchange as a whole took longer than it may."""


class CertificateInvalid(httpx.ConnectError):
    """The server's certificate is not to be trusted, or not for this name. Trying again won't help."""


class Deadline:
    """A moment on the monotonic clock, and what is raised once it has passed."""

    def __init__(self, seconds: float, *, error: type[httpx.TimeoutException] = OutOfTime) -> None:
        self._began = time.monotonic()
        self._end = self._began + seconds
        self._error = error

    @property
    def spent(self) -> float:
        """Seconds since this deadline was set."""
        return time.monotonic() - self._began

    def left(self, at_most: float | None = None) -> float:
        """Seconds until then, always more than none, and no more than `at_most`."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._error(f"not done after {self.spent:.1f} s")
        return left if at_most is None else min(left, at_most)

    def opening(self, seconds: float) -> "Deadline":
        """A deadline for the opening of a connection: never later than the whole, and httpx.ConnectTimeout after it."""
        return Deadline(min(seconds, self.left()), error=httpx.ConnectTimeout)


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every operation ends by `deadline`; the TLS handshake already by `opening`."""

    def __init__(self, stream: httpcore.NetworkStream, *, deadline: Deadline, opening: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._opening = opening

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "DeadlineStream":
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._opening.left(timeout))
        except httpx.TimeoutException:
            self.close()  # httpcore knows nothing of the stream yet
            raise
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise CertificateInvalid(str(error)) from error
            raise
        return DeadlineStream(stream, deadline=self._deadline, opening=self._opening)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
