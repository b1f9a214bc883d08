"""Fixtures that every test may ask for."""

from collections.abc import Iterator, Mapping

import pytest

from tests.clocks import ManualClock
from tests.emulators import shared_emulators


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Mapping[str, str]]:
    """The variables that lead Google's SDKs to the emulators, which all workers of a run share."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "emulators"
    folder.mkdir(exist_ok=True)
    with shared_emulators(folder) as variables:
        yield variables


@pytest.fixture
def google(emulators: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """An environment in which Google's SDKs find the emulators."""
    for name, value in emulators.items():
        monkeypatch.setenv(name, value)
    return emulators
