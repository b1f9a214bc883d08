"""What can be said against a URL without resolving its name: scheme, user, host as written, port."""

import httpx

from shared.domain.errors import UrlNotAllowed
from shared.net.address import Allowed, is_host_name, is_public, literal

LONGEST_URL = 8192
"""In characters; signed URLs run to some 4,000."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_USER_PORTS = range(1024, 65536)
_ALL_PORTS = range(1, 65536)

# Private by definition: RFC 6761, RFC 6762, and ICANN's reservation of 2024.
_PRIVATE_DOMAINS = ("localhost", "local", "internal")

_NOBODY = Allowed()


def check_url(url: str | httpx.URL, *, allowed: Allowed = _NOBODY, allow_http: bool = True) -> httpx.URL:
    """Parse `url` and refuse what is wrong on its face; the result is normalised (IDNA, no final dot).

    Raises UrlNotAllowed. A name that passes may still resolve to a private address: only dialling tells.
    """
    parsed = parse_url(url)
    _check_scheme(parsed.scheme, allow_http=allow_http)
    if parsed.userinfo:
        raise UrlNotAllowed(public="A URL with a user name or password in it is not accepted.")
    host = parsed.raw_host.decode("ascii")
    if host.endswith(".") and ":" not in host:
        host = host[:-1]
        parsed = parsed.copy_with(host=host)
    _check_host(host, allowed)
    _check_port(_DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port, host, allowed)
    return parsed


def parse_url(url: str | httpx.URL, *, base: httpx.URL | None = None) -> httpx.URL:
    """Parse only, relative to `base` where there is one. Raises UrlNotAllowed where `url` is no URL."""
    if len(str(url)) > LONGEST_URL:
        raise UrlNotAllowed(public=f"The URL is longer than {LONGEST_URL} characters.")
    try:
        return httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: lone surrogates, urljoin's own opinions
        raise UrlNotAllowed(type(error).__name__, public="The URL is not valid.") from error


def origin(url: httpx.URL) -> str:
    """Scheme, host and port: what of a URL may be logged. Paths and queries carry tokens."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _check_scheme(scheme: str, *, allow_http: bool) -> None:
    if scheme not in _DEFAULT_PORTS:
        raise UrlNotAllowed(public="Only http and https URLs are accepted.")
    if scheme == "http" and not allow_http:
        raise UrlNotAllowed(public="Only https URLs are accepted here.")


def _check_host(host: str, allowed: Allowed) -> None:
    address = literal(host)
    if address is None and not is_host_name(host):
        raise UrlNotAllowed(f"host {host!r}", public="The URL has no valid host.")
    if address is not None and not is_public(address) and not allowed.admits(host, address):
        raise UrlNotAllowed(f"{host} is not public")
    # With a list, a private name may be what the operator means; resolving it decides.
    if host.rpartition(".")[2] in _PRIVATE_DOMAINS and not allowed:
        raise UrlNotAllowed(f"{host} is a private name")


def _check_port(port: int, host: str, allowed: Allowed) -> None:
    """80, 443 and everything from 1024: below that live the protocols that a request could be smuggled into (SMTP…)."""
    of_the_web = port in _DEFAULT_PORTS.values() or port in _USER_PORTS
    of_the_list = port in _ALL_PORTS and allowed.admits(host, literal(host))
    if not (of_the_web or of_the_list):
        raise UrlNotAllowed(f"port {port}", public="The URL's port is not one that documents are served on.")
