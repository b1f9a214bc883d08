"""Every contract test runs on every family of adapters: one more family is one more entry of `FAMILIES`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from shared.ports.batches import BatchStore
from shared.ports.bus import Bus
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from tests.contract.families import EmbeddedFamily, Family, GoogleFamily


def _google(_: Path, request: pytest.FixtureRequest) -> Family:
    request.getfixturevalue("google")
    return GoogleFamily()


FAMILIES: Mapping[str, Callable[[Path, pytest.FixtureRequest], Family]] = {
    "embedded": lambda folder, _: EmbeddedFamily(folder),
    "google": _google,
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Family]:
    family = FAMILIES[request.param](tmp_path, request)
    yield family
    family.close()


@pytest.fixture
def store(family: Family) -> JobStore:
    return family.store


@pytest.fixture
def batches(family: Family) -> BatchStore:
    return family.batches


@pytest.fixture
def objects(family: Family) -> ObjectStore:
    return family.objects


@pytest.fixture
def bus(family: Family) -> Bus:
    return family.bus()
