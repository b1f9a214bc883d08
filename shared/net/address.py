"""Is this IP address public? And the private places that an operator lets through in spite of it."""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Self, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# A table of our own: what `ipaddress` calls global differs between Python's patch releases, and counts multicast.
# Source: IANA's IPv4 and IPv6 Special-Purpose Address Registries.
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network"; Linux dials 0.0.0.0 as loopback
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and one cloud's metadata server
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent, in public space
        "169.254.0.0/16",  # link-local, and most clouds' metadata servers
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address to a relay
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")

_HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
_LONGEST_HOST_NAME = 253


def is_public(address: Address) -> bool:
    """Whether the whole internet means the same machine by this address: global unicast, and no way into another net.

    IPv4 inside IPv6 is refused in every form but NAT64's well-known prefix (RFC 6052), which IPv6-only networks
    resolve public names to: there the embedded address decides.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def is_host_name(host: str) -> bool:
    """Whether `host` is a lower-case ASCII name without a final dot; one that ends in a number is none (WHATWG URL)."""
    well_formed = len(host) <= _LONGEST_HOST_NAME and _HOST_NAME.fullmatch(host) is not None
    return well_formed and _ENDS_IN_A_NUMBER.fullmatch(host) is None


def literal(host: str) -> Address | None:
    """The address that `host` writes out, None for a name.

    Whatever the C library reads as an address counts as one: 127.1, 0x7f.1, 017700000001, 2130706433.
    """
    if ":" in host:
        return IPv6Address(host)
    if _ENDS_IN_A_NUMBER.fullmatch(host) is None:
        return None
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Hosts and networks that the guard lets through in spite of being private. Empty by default."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read hosts, addresses and CIDRs, comma-separated. Raises ValueError naming the item that is none of these."""
        items = [item.strip().lower() for item in text.split(",") if item.strip()]
        hosts = frozenset(item for item in items if is_host_name(item))
        return cls(hosts=hosts, networks=tuple(_network(item) for item in items if item not in hosts))

    def __bool__(self) -> bool:
        return bool(self.hosts or self.networks)

    def admits(self, host: str, address: Address | None) -> bool:
        """Whether this name is listed, or this address lies in a listed network."""
        return host in self.hosts or (address is not None and any(address in network for network in self.networks))


def _network(item: str) -> Network:
    try:
        return ip_network(item)
    except ValueError as error:
        raise ValueError(f"{item!r} is neither a host name nor an address nor a CIDR: {error}") from error
