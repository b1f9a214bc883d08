"""Names to addresses: the system's resolver, and a limit on how long any resolver is waited for."""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Thread
from typing import TypeAlias

import httpx

from shared.net.address import Address

Resolve: TypeAlias = Callable[[str, int], Sequence[Address]]
"""All addresses of a host, best first. Raises OSError (socket.gaierror) where there are none."""

_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class NameNotFound(httpx.ConnectError):
    """The name does not exist, says a resolver that answered: trying again won't help."""


def system_addresses(host: str, port: int) -> list[Address]:
    # As bytes: Python's own IDNA codec (of 2003) stays out, the URL's parser has encoded the name already.
    answers = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [ip_address(sockaddr[0]) for *_, sockaddr in answers]


def addresses_within(seconds: float, resolve: Resolve, host: str, port: int) -> list[Address]:
    """Resolve `host` once; raises NameNotFound, httpx.ConnectTimeout or httpx.ConnectError.

    getaddrinfo cannot be interrupted, so it runs in a daemon thread that is left behind when time is up; the resolver's
    own timeouts (seconds) end it.
    """
    answer: Future[Sequence[Address]] = Future()
    Thread(target=_resolve_into, args=(answer, resolve, host, port), name=f"resolve-{host}", daemon=True).start()
    try:
        return list(dict.fromkeys(answer.result(timeout=seconds)))
    except TimeoutError as error:
        raise httpx.ConnectTimeout(f"{host} not resolved in {seconds:.1f} s") from error
    except socket.gaierror as error:
        kind = NameNotFound if error.errno in _NO_SUCH_NAME else httpx.ConnectError
        raise kind(f"{host} not resolved: {error}") from error
    except OSError as error:
        raise httpx.ConnectError(f"{host} not resolved: {error}") from error


def _resolve_into(answer: "Future[Sequence[Address]]", resolve: Resolve, host: str, port: int) -> None:
    try:
        answer.set_result(resolve(host, port))
    except OSError as error:
        answer.set_exception(error)
