"""Fixtures that every test may ask for."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.pdf.sandbox import Sandbox
from tests.clocks import ManualClock
from tests.emulators import shared_emulators

if TYPE_CHECKING:
    from tests.pipeline import OpenFamily, Pipeline


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: many tests wait for other processes and for leases."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)  # before any are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the emulators. What takes long begins first, so that it is not alone at the end."""
    for item in items:
        if isinstance(item, pytest.Function) and "emulators" in item.fixturenames:
            item.add_marker(pytest.mark.google)
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Of ordinary limits. Whoever harms one, or counts its processes, opens one of their own."""
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def pipe(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> Iterator["Pipeline"]:
    """The pipeline on embedded adapters."""
    from tests.pipeline import pipeline  # the many tests that don't want it don't wait for it

    with pipeline(tmp_path / "data", clock, sandbox) as opened:
        yield opened


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Mapping[str, str]]:
    """The variables that lead Google's SDKs to the emulators, which all workers of a run share."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "emulators"
    folder.mkdir(exist_ok=True)
    with shared_emulators(folder) as variables:
        yield variables


@pytest.fixture(params=["embedded", pytest.param("google", marks=pytest.mark.google)])
def either_family(request: pytest.FixtureRequest) -> "OpenFamily | None":
    """What opens each family of adapters in turn; None stands for the embedded ones."""
    if request.param == "embedded":
        return None
    from tests.clouds import open_google  # as above

    request.getfixturevalue("google")
    return open_google


@pytest.fixture
def google(emulators: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """An environment in which Google's SDKs find the emulators."""
    for name, value in emulators.items():
        monkeypatch.setenv(name, value)
    return emulators
