"""One key of the installation, made once, and what it seals, signs and tells apart."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.domain.errors import Unavailable
from shared.sealing import KEY_BYTES, NotSealedHere, Sealer, key_of

KEY, OTHER = b"k" * KEY_BYTES, b"o" * KEY_BYTES
PASSWORD = "pässword 💧"


def test_what_is_sealed_is_unsealed_with_the_same_key_only() -> None:
    sealed = Sealer(KEY).seal(PASSWORD)

    assert Sealer(KEY).unseal(sealed) == PASSWORD
    with pytest.raises(NotSealedHere):
        Sealer(OTHER).unseal(sealed)


def test_sealing_twice_tells_nobody_that_it_is_the_same() -> None:
    sealer = Sealer(KEY)

    assert sealer.seal(PASSWORD) != sealer.seal(PASSWORD)
    assert PASSWORD not in sealer.seal(PASSWORD)


@pytest.mark.parametrize("damage", ["", "x", "not sealed", "é", "gAAAAA==", "\ud800"])
def test_what_was_damaged_is_not_sealed_here(damage: str) -> None:
    with pytest.raises(NotSealedHere):
        Sealer(KEY).unseal(damage)


def test_a_fingerprint_is_of_the_data_and_of_the_installation() -> None:
    assert Sealer(KEY).fingerprint(b"a") == Sealer(KEY).fingerprint(b"a")
    assert len({Sealer(key).fingerprint(data) for key in (KEY, OTHER) for data in (b"a", b"b")}) == 4


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({Sealer(KEY).derived("links"), Sealer(KEY).derived("callbacks"), KEY}) == 3


def test_the_key_is_made_once_whoever_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(key_of, [folder] * 64))

    (key,) = keys
    assert len(key) == KEY_BYTES
    assert [path.name for path in folder.iterdir()] == ["secret.key"]


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    key_of(tmp_path / "data")

    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_a_damaged_key_is_refused_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret.key").write_bytes(content)

    with pytest.raises(Unavailable, match="bytes"):
        key_of(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == content
