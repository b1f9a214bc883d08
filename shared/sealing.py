"""What one secret key of the installation is used for: sealing passwords, fingerprints, signing. Each use has a key of
its own, derived from it.
"""

import base64
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from shared.domain.errors import PagemillError, Unavailable

KEY_BYTES = 32


class NotSealedHere(PagemillError):
    """The text was sealed with another key, or damaged."""

    code = "not_sealed_here"


class NoSealingKey(Unavailable):
    """This process was given no key: it seals, unseals and derives nothing, and whoever has one may."""


class Sealer:
    """Each use raises NoSealingKey where `key` is None: most parts of an installation have no business with it."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    def seal(self, text: str) -> str:
        return self._fernet().encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Raises NotSealedHere."""
        try:
            return self._fernet().decrypt(sealed).decode()
        except (InvalidToken, ValueError) as error:
            raise NotSealedHere("wrong key or damaged") from error

    def fingerprint(self, data: bytes) -> str:
        """Keyed, since what is fingerprinted may hold a password."""
        return hmac.new(self.derived("fingerprints"), data, hashlib.sha256).hexdigest()

    def derived(self, purpose: str) -> bytes:
        if self._key is None:
            raise NoSealingKey(f"PAGEMILL_SEALING_KEY is not set here: {purpose}")
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).digest()

    def _fernet(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.derived("passwords")))


def key_of(folder: Path) -> bytes:
    """Return the key kept in this folder, made by whoever comes first. Raises Unavailable where it is damaged."""
    path = folder / "secret.key"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        temporary = folder / f"secret.{os.getpid()}.{os.urandom(4).hex()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process was first: its key is the key
        finally:
            temporary.unlink()
        _sync(folder)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Unavailable(f"{path} holds {len(key)} bytes", public=f"{path} is not a key of {KEY_BYTES} bytes.")
    return key


def _sync(folder: Path) -> None:
    """Without this a power cut could take the key away from what was sealed with it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
