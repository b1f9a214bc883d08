"""Links with a signature of version 4, made with a key of our own and checked as Cloud Storage checks them.

The emulator takes any. The rules: cloud.google.com/storage/docs/authentication/canonical-requests.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.crypt import RSASigner
from google.oauth2.service_account import Credentials

_LONGEST = timedelta(days=7)


@cache
def private_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@cache
def credentials() -> Credentials:
    """As a key file gives them."""
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Credentials(RSASigner.from_string(pem), "signer@test.invalid", "https://oauth2.invalid/token")


def is_signed(method: str, url: str, headers: Mapping[str, str], *, now: datetime) -> bool:
    """Whether Cloud Storage would answer this request with more than 403."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    try:
        begins = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        life = timedelta(seconds=int(query["X-Goog-Expires"]))
        text = "\n".join(["GOOG4-RSA-SHA256", query["X-Goog-Date"], _scope(query), _canonical(method, url, headers)])
        signature = bytes.fromhex(query["X-Goog-Signature"])
        private_key().public_key().verify(signature, text.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, KeyError, ValueError):
        return False
    return life <= _LONGEST and begins <= now < begins + life


def _scope(query: Mapping[str, str]) -> str:
    return query["X-Goog-Credential"].partition("/")[2]


def _canonical(method: str, url: str, headers: Mapping[str, str]) -> str:
    """The hash of the canonical request."""
    parts = urlsplit(url)
    pairs = sorted(pair for pair in parts.query.split("&") if not pair.startswith("X-Goog-Signature="))
    names = parse_qs(parts.query)["X-Goog-SignedHeaders"][0].split(";")
    values = {"host": parts.netloc, **headers}
    lines = [method, parts.path, "&".join(pairs), *(f"{name}:{values[name]}" for name in names), ""]
    return hashlib.sha256("\n".join([*lines, ";".join(names), "UNSIGNED-PAYLOAD"]).encode()).hexdigest()
