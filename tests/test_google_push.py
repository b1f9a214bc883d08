"""What Pub/Sub pushes: the envelope around a message, and the token that says who posts."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.auth import crypt, jwt

from shared.adapters.google.certificates import Certificates
from shared.adapters.google.push import OidcVerifier, pushed
from shared.domain.errors import Unauthorized, Unavailable
from shared.domain.job import JobId
from shared.domain.messages import MalformedMessage, PrepareDocument, to_bytes
from tests.servers import Exchange, Server, answering, closed_port

MESSAGE = PrepareDocument(job_id=JobId("1"))
TRACE = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}
AUDIENCE, ACCOUNT = "https://prepare.example", "push@project.iam.gserviceaccount.com"


def an_envelope(**changes: Any) -> dict[str, Any]:
    message = {"data": b64encode(to_bytes(MESSAGE)).decode(), "messageId": "7", "attributes": TRACE} | changes
    return {"message": message, "subscription": "projects/p/subscriptions/s", "deliveryAttempt": 5}


def body(envelope: object) -> bytes:
    return json.dumps(envelope).encode()


def test_a_push_holds_its_message_and_what_is_known_of_it() -> None:
    push = pushed(body(an_envelope(attributes=TRACE | {"other": "x"})))

    assert push.message == MESSAGE
    assert push.trace == TRACE


def test_what_a_push_may_leave_out_it_may_leave_out() -> None:
    data = an_envelope()["message"]["data"]

    push = pushed(body({"message": {"data": data, "attributes": None}}))

    assert push.message == MESSAGE
    assert push.trace == {}


INSIDES: list[object] = [None, [], "x", 7, {}, {"data": 7}, {"data": "%"}, {"data": None}]
MALFORMED = [
    *(b"", b"\xff", b"null", b"[]", b"{}", b"7", b"[" * 100_000, b'"x"'),
    *(body({"message": inside}) for inside in INSIDES),
    *(body(an_envelope(data=b64encode(data).decode())) for data in (b"", b"{}", b"\xff", b'{"v": 99}')),
    *(body(an_envelope(attributes=attributes)) for attributes in ("x", 7, ["traceparent"])),
]


@pytest.mark.parametrize("data", MALFORMED, ids=lambda data: ascii(data)[:30])
def test_what_is_no_push_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        pushed(data)


def test_attributes_that_are_no_trace_are_none() -> None:
    assert pushed(body(an_envelope(attributes={"traceparent": ["x"], "tracestate": 7}))).trace == {}


KEY, ANOTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def claims_of(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": ACCOUNT,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
        "sub": "1",
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def a_token(key: rsa.RSAPrivateKey = KEY, *, key_id: str | None = "one", **changes: Any) -> str:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    token: bytes = jwt.encode(crypt.RSASigner.from_string(private), claims_of(**changes), key_id=key_id)
    return token.decode()


class Issuer:
    """Where the certificates are: Google's are at such a URL."""

    def __init__(self, keys: Mapping[str, rsa.RSAPrivateKey], *, headers: Mapping[str, str] | None = None) -> None:
        self.keys, self._headers = dict(keys), headers or {}
        self.now = 1_000.0
        self.server = Server({"/certs": self._answer})

    def verifier(self, *, signed: bool = True) -> OidcVerifier:
        certificates = Certificates(url=f"{self.server.url}/certs", clock=lambda: self.now)
        return OidcVerifier(audience=AUDIENCE, account=ACCOUNT, signed=signed, certificates=certificates)

    @property
    def asked(self) -> int:
        return len(self.server.received)

    def _answer(self, exchange: Exchange) -> None:
        exchange.answer(200, body({name: pem(key) for name, key in self.keys.items()}), self._headers)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer({"one": KEY}, headers={"Cache-Control": "public, max-age=20000, must-revalidate"})
    with issuer.server:
        yield issuer


def test_our_own_subscription_may_push(issuer: Issuer) -> None:
    verifier = issuer.verifier()

    verifier.check(f"Bearer {a_token()}")
    verifier.check(f"bearer {a_token(iss='accounts.google.com')}")


NOW = int(time.time())


WRONG = pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example"},
        {"aud": [AUDIENCE]},
        {"aud": None},
        {"iss": "https://accounts.example"},
        {"iss": None},
        {"email": "stranger@project.iam.gserviceaccount.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": NOW + 600},
        {"iat": None},
    ],
    ids=lambda changes: next(iter(changes)),
)


@WRONG
def test_a_token_with_another_claim_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        issuer.verifier().check(f"Bearer {a_token(**changes)}")


def test_a_token_that_another_key_signed_is_refused(issuer: Issuer) -> None:
    for key_id in ("one", None):
        with pytest.raises(Unauthorized):
            issuer.verifier().check(f"Bearer {a_token(ANOTHER, key_id=key_id)}")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "Bearer x",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer é.é.é",
        "Bearer " + "x" * 9_000,
    ],
    ids=ascii,
)
def test_what_is_no_token_is_refused(issuer: Issuer, authorization: str | None) -> None:
    with pytest.raises(Unauthorized):
        issuer.verifier().check(authorization)


def test_a_token_that_nobody_signed_is_refused(issuer: Issuer) -> None:
    _, claims, signature = a_token().split(".")
    for algorithm in ("none", "HS256", None, 7, ["RS256"]):
        head = b64encode(body({"alg": algorithm, "kid": "one"})).decode().rstrip("=")
        for token in (f"{head}.{claims}.", f"{head}.{claims}.{signature}"):
            with pytest.raises(Unauthorized):
                issuer.verifier().check(f"Bearer {token}")


def without_signature(token: str) -> str:
    """As Cloud Run passes it on, having checked it."""
    return f"{token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_where_cloud_run_checks_signatures_the_claims_are_checked(issuer: Issuer) -> None:
    verifier = issuer.verifier(signed=False)

    verifier.check(f"Bearer {without_signature(a_token(ANOTHER))}")
    verifier.check(f"Bearer {a_token()}")
    with pytest.raises(Unauthorized):
        verifier.check(f"Bearer {a_token(ANOTHER)}")

    assert issuer.asked == 1


@WRONG
def test_where_cloud_run_checks_signatures_another_claim_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        issuer.verifier(signed=False).check(f"Bearer {without_signature(a_token(**changes))}")


def test_an_audience_may_be_left_to_cloud_run_and_the_other_claims_may_not() -> None:
    verifier = OidcVerifier(audience=None, account=ACCOUNT, signed=False)

    verifier.check(f"Bearer {without_signature(a_token(aud='https://drop-hash-ez.a.run.example'))}")
    with pytest.raises(Unauthorized):
        verifier.check(f"Bearer {without_signature(a_token(email='stranger@project.iam.gserviceaccount.com'))}")
    with pytest.raises(ValueError, match="anybody"):
        OidcVerifier(audience=None, account=ACCOUNT)


@pytest.mark.parametrize("token", ["x", "a.b", "..", "a.b.c", "e30.W10", "e30.bnVsbA"], ids=ascii)
def test_where_cloud_run_checks_signatures_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    with pytest.raises(Unauthorized):
        issuer.verifier(signed=False).check(f"Bearer {token}.SIGNATURE_REMOVED_BY_GOOGLE")


def test_without_a_signature_nobody_is_let_in_unless_cloud_run_checks_them(issuer: Issuer) -> None:
    with pytest.raises(Unauthorized):
        issuer.verifier().check(f"Bearer {without_signature(a_token())}")


def test_certificates_are_asked_for_once_while_they_hold(issuer: Issuer) -> None:
    verifier = issuer.verifier()

    for _ in range(5):
        verifier.check(f"Bearer {a_token()}")

    assert issuer.asked == 1


def test_a_new_key_is_asked_for_and_one_that_nobody_has_not_again_and_again(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    verifier.check(f"Bearer {a_token()}")
    issuer.keys = {"two": ANOTHER}
    issuer.now += 61

    verifier.check(f"Bearer {a_token(ANOTHER, key_id='two')}")
    for _ in range(5):
        with pytest.raises(Unauthorized):
            verifier.check(f"Bearer {a_token(ANOTHER, key_id='three')}")

    assert issuer.asked == 2


def test_certificates_that_hold_no_longer_are_asked_for_anew(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    verifier.check(f"Bearer {a_token()}")

    issuer.now += 19_999
    verifier.check(f"Bearer {a_token()}")
    assert issuer.asked == 1
    issuer.now += 1
    verifier.check(f"Bearer {a_token()}")
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "behaviour", [answering(500), answering(200, b"{"), answering(200, b"[]"), answering(200, b'{"one": 7}')]
)
def test_without_certificates_nobody_can_tell(behaviour: Any) -> None:
    with Server({"/certs": behaviour}) as server:
        certificates = Certificates(url=f"{server.url}/certs")
        verifier = OidcVerifier(audience=AUDIENCE, account=ACCOUNT, certificates=certificates)

        with pytest.raises(Unavailable):
            verifier.check(f"Bearer {a_token()}")


def test_where_the_issuer_is_down_nobody_can_tell() -> None:
    certificates = Certificates(url=f"http://127.0.0.1:{closed_port()}/certs")
    verifier = OidcVerifier(audience=AUDIENCE, account=ACCOUNT, certificates=certificates)

    with pytest.raises(Unavailable):
        verifier.check(f"Bearer {a_token()}")
