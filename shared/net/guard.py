"""Who may be dialled: the one place where a URL that a stranger gave meets the network."""

import ssl
from dataclasses import dataclass, field

import httpx

from shared.domain.errors import UrlNotAllowed
from shared.net.address import Address, Allowed, is_public, literal
from shared.net.resolve import Resolve, addresses_within, system_addresses
from shared.net.url import check_url


def public_authorities() -> ssl.SSLContext:
    """The certificate authorities that ship with the program; the environment adds none."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A policy on URLs and addresses. Safe to share between threads; building one loads the authorities (some 20 ms).

    `allow_http` is for plain http URLs; `resolve` is asked once for every connection.
    """

    allowed: Allowed = field(default_factory=Allowed)
    allow_http: bool = True
    resolve: Resolve = system_addresses
    tls: ssl.SSLContext = field(default_factory=public_authorities)

    def check(self, url: str | httpx.URL) -> httpx.URL:
        """`check_url` under this policy: no name is resolved. Raises UrlNotAllowed."""
        return check_url(url, allowed=self.allowed, allow_http=self.allow_http)

    def addresses(self, host: str, port: int, *, seconds: float) -> list[Address]:
        """The addresses of `host`, best first, all of which may be dialled.

        One that is not public refuses them all: a name with mixed answers is an attack or a mistake. Raises
        UrlNotAllowed, and httpx.ConnectError or httpx.ConnectTimeout where the name does not resolve.
        """
        written = literal(host)
        found = addresses_within(seconds, self.resolve, host, port) if written is None else [written]
        refused = [address for address in found if not (is_public(address) or self.allowed.admits(host, address))]
        if refused:
            raise UrlNotAllowed(f"{host} is {', '.join(map(str, refused))}: not public")
        return found
