"""Which addresses are public, in whatever form they are written, and what an operator lets through."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.net.address import Allowed, is_host_name, is_public, literal

SPECIAL_V4 = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
SPECIAL_V6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8"]

# What IANA calls globally reachable and we do not dial all the same.
STRICTER_THAN_PYTHON = [IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv4Network("168.63.129.16/32")]
NAT64 = IPv6Network("64:ff9b::/96")

v4 = st.one_of(st.ip_addresses(v=4), st.sampled_from(SPECIAL_V4).map(IPv4Address))
v6 = st.ip_addresses(v=6)


@pytest.mark.parametrize("text", [*SPECIAL_V4, *SPECIAL_V6])
def test_what_is_not_global_unicast_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(v4)
def test_ipv4_agrees_with_the_standard_library_where_that_is_no_laxer(address: IPv4Address) -> None:
    stricter = any(address in network for network in STRICTER_THAN_PYTHON)

    assert is_public(address) == (address.is_global and not address.is_multicast and not stricter)


@given(v6.filter(lambda address: address not in NAT64))
def test_no_ipv6_address_is_public_that_the_standard_library_calls_special(address: IPv6Address) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved or address.is_site_local
    in_ipv4 = address.ipv4_mapped or address.sixtofour or address.teredo

    assert not (is_public(address) and (special or in_ipv4))


@given(v4)
def test_ipv4_inside_ipv6_is_public_in_one_form_only_and_only_where_the_inner_address_is(inner: IPv4Address) -> None:
    number = int(inner)
    carriers = {
        "compatible": number,
        "mapped": 0xFFFF << 32 | number,
        "translated": 0xFFFF << 48 | number,
        "6to4": 0x2002 << 112 | number << 80 | 1,
        "teredo": 0x20010000 << 96 | 0x41360000 << 64 | (number ^ 0xFFFF_FFFF),
        "local NAT64": 0x64FF9B0001 << 80 | number,
    }

    assert not any(is_public(IPv6Address(carrier)) for carrier in carriers.values())
    assert is_public(IPv6Address(0x64FF9B << 96 | number)) == is_public(inner)


@given(v4)
def test_an_address_is_known_in_every_form_that_the_c_library_reads(address: IPv4Address) -> None:
    number = int(address)
    first, *rest = address.packed
    tail = number & 0xFF_FFFF
    forms = [
        str(address),
        str(number),
        f"{number:#x}",
        f"0{number:o}",
        f"{first}.{tail}",
        f"{first:#x}.{rest[0]:#x}.{tail & 0xFFFF:#x}",
        ".".join(f"0{part:o}" for part in address.packed),
        ".".join(f"{part:#04x}" for part in address.packed),
    ]

    assert {literal(form) for form in forms} == {address}
    assert not any(is_host_name(form) for form in forms)


@pytest.mark.parametrize("host", ["example.com", "a-1.b", "_dmarc.example.com", "1.2.3.4.example", "xn--bcher-kva.ch"])
def test_a_name_is_a_name(host: str) -> None:
    assert is_host_name(host)
    assert literal(host) is None


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "a b", "bücher.ch", "Example.com", "a.1", "1.2.3.4.5", "a.0x", "x" * 64, "a." * 127 + "a"]
)
def test_what_is_neither_name_nor_address_is_neither(host: str) -> None:
    assert not is_host_name(host)
    assert literal(host) is None


def test_the_list_admits_hosts_addresses_and_networks_and_nothing_else() -> None:
    allowed = Allowed.parse(" Files.corp.internal, 10.1.0.0/16,127.0.0.1 , fd00::/8,")

    assert allowed.admits("files.corp.internal", None)
    assert allowed.admits("x", ip_address("10.1.2.3"))
    assert allowed.admits("x", ip_address("127.0.0.1"))
    assert allowed.admits("x", ip_address("fd12::1"))
    assert not allowed.admits("other.corp.internal", None)
    assert not allowed.admits("x", ip_address("10.2.0.1"))
    assert not allowed.admits("x", ip_address("127.0.0.2"))
    assert not allowed.admits("x", ip_address("::ffff:127.0.0.1"))


@pytest.mark.parametrize("text", ["", "  ", ",", " , "])
def test_an_empty_list_admits_nothing(text: str) -> None:
    assert not Allowed.parse(text)
    assert Allowed.parse(text) == Allowed()


@pytest.mark.parametrize(
    "item", ["10.0.0.1/8", "10.0.0.0/33", "http://a", "*.corp", "127.1", "0x7f.1", "a b", "bücher"]
)
def test_an_item_that_is_nothing_is_named(item: str) -> None:
    with pytest.raises(ValueError, match="neither a host name nor") as caught:
        Allowed.parse(f"ok.example,{item}")

    assert repr(item) in str(caught.value)
