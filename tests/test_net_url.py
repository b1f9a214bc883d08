"""What is wrong with a URL on its face, before any name is resolved."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.errors import UrlNotAllowed
from shared.net.address import Allowed
from shared.net.url import LONGEST_URL, check_url, origin, parse_url

PRIVATE = [
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.01/",
    "http://127。0。0。1/",
    "http://0/",
    "http://169.254.169.254/computeMetadata/v1/",
    "http://2852039166/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[fe80::1%25eth0]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://api.localhost/",
    "http://metadata.google.internal/",
    "http://printer.local/",
]
NOT_URLS = [
    "",
    "nonsense",
    "/etc/passwd",
    "//example.com/",
    "http:///x",
    "http://?x",
    "http://exa mple.com/",
    "http://example.com:99999/",
    "http://example.com:x/",
    "http://1.2.3.999/",
    "http://1.2.3.4.5/",
    "http://%31%32%37.0.0.1/",
    "http://[::1",
    "http://[foo]/",
    "http://a..b/",
    "http://\ud800/",
    "http://example.com/\ud800",
    "http://example.com/\r\nHost: other",
    "http://example.com\\@127.0.0.1/",
]
OTHER_SCHEMES = [
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "unix:///run/x",
    "ws://example.com",
]


@pytest.mark.parametrize("url", [*PRIVATE, *NOT_URLS, *OTHER_SCHEMES])
def test_a_url_that_cannot_be_public_is_refused_without_resolving_it(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM./a?b=c#d", "https://example.com/a?b=c#d"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("http://8.8.8.8:8080/", "http://8.8.8.8:8080/"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
    ],
)
def test_a_url_that_may_be_public_comes_back_normalised(url: str, normalised: str) -> None:
    assert str(check_url(url)) == normalised


@pytest.mark.parametrize(
    "url", ["http://user@example.com/", "http://user:pass@example.com/", "http://:pass@example.com/"]
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UrlNotAllowed, match="user name") as caught:
        check_url(url)

    assert "pass@" not in str(caught.value)


def test_plain_http_is_refused_where_only_https_may_be() -> None:
    assert check_url("https://example.com/", allow_http=False)
    with pytest.raises(UrlNotAllowed, match="https"):
        check_url("http://example.com/", allow_http=False)


@pytest.mark.parametrize("port", [0, 21, 22, 25, 81, 389, 445, 1023])
def test_ports_of_other_protocols_are_refused(port: int) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(f"http://example.com:{port}/")


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 65535])
def test_ports_of_the_web_are_not(port: int) -> None:
    assert check_url(f"http://example.com:{port}/")


def test_what_the_operator_lists_passes_on_any_port() -> None:
    allowed = Allowed.parse("127.0.0.1,files.internal")

    assert check_url("http://127.0.0.1:81/", allowed=allowed)
    assert check_url("http://files.internal:81/", allowed=allowed)
    with pytest.raises(UrlNotAllowed):
        check_url("http://127.0.0.1:65536/", allowed=allowed)
    with pytest.raises(UrlNotAllowed):
        check_url("http://127.0.0.2/", allowed=allowed)


def test_a_private_name_waits_for_its_resolution_where_the_operator_lists_anything() -> None:
    assert check_url("http://files.internal/", allowed=Allowed.parse("10.0.0.0/8"))


def test_an_endless_url_is_refused() -> None:
    with pytest.raises(UrlNotAllowed, match="longer"):
        check_url("https://example.com/" + "x" * LONGEST_URL)


def test_what_is_logged_of_a_url_has_neither_path_nor_query() -> None:
    assert origin(parse_url("https://example.com:8443/secret?token=1")) == "https://example.com:8443"


urlish = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.one_of(st.text(max_size=20), st.from_regex(r"[0-9a-fx.:\[\]%@\\-]{0,20}", fullmatch=True)),
    st.sampled_from(["", ":80", ":0", ":99999999999999999999", ":٣"]),
    st.text(max_size=10).map(lambda text: "/" + text),
)


@given(st.one_of(st.text(), urlish))
@example("http://xn--/")
@example("http://٣/")
def test_whatever_is_given_is_refused_by_name_or_passes(url: str) -> None:
    try:
        checked = check_url(url)
    except UrlNotAllowed:
        return
    assert check_url(checked) == checked


@given(st.text(max_size=30))
@example("//[")
@example("http://[::1")
@example("//\u2100/")
def test_whatever_a_redirect_names_is_refused_by_name_or_parsed(location: str) -> None:
    base = parse_url("https://example.com/a")
    try:
        parsed = parse_url(location, base=base)
    except UrlNotAllowed:
        return
    assert parsed.scheme
