"""Who signs links to objects: the credentials' own key, else IAM on behalf of the account that we run as."""

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth import crypt, iam
from google.auth.credentials import AnonymousCredentials, Credentials, Signing
from google.oauth2.service_account import Credentials as ServiceAccount

from shared.adapters.google.transport import Transport, timed_transport

_EMULATED = "emulator@pagemill.invalid"
_UNKNOWN_YET = (None, "default")


def signing_credentials(credentials: Credentials, *, transport: Transport | None = None) -> Signing:
    """Return what `generate_signed_url` can sign with.

    A key file's credentials sign by themselves. Those of a Cloud Run service cannot: IAM signs for them, one call a
    link, if the account may create tokens for itself. Emulators check no signature, and get one of a key made here.
    """
    if isinstance(credentials, Signing):
        return credentials
    if isinstance(credentials, AnonymousCredentials):
        return _made_here()
    return IamSigning(credentials, transport or timed_transport())


class IamSigning(Signing):
    """Signs through IAM's signBlob. Raises GoogleAuthError where it does not answer."""

    def __init__(self, credentials: Credentials, transport: Transport) -> None:
        self._credentials, self._transport = credentials, transport

    @property
    def signer_email(self) -> str:
        """The metadata server tells it with the first token."""
        if self._email in _UNKNOWN_YET:
            self._credentials.refresh(self._transport)
        return str(self._email)

    @property
    def signer(self) -> crypt.Signer:
        return iam.Signer(self._transport, self._credentials, self.signer_email)

    def sign_bytes(self, message: bytes) -> bytes:
        signature: bytes = self.signer.sign(message)
        return signature

    @property
    def _email(self) -> str | None:
        email: str | None = getattr(self._credentials, "service_account_email", None)
        return email


def _made_here() -> Signing:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    signer = crypt.RSASigner.from_string(pem)
    return ServiceAccount(signer, _EMULATED, "https://oauth2.invalid/token")
