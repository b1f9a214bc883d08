"""Every contract test runs on every family of adapters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.ports.batches import BatchStore
from shared.ports.bus import Bus
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from tests.contract.families import EmbeddedFamily, Family, GoogleFamily


@pytest.fixture(params=["embedded", pytest.param("google", marks=pytest.mark.google)])
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Family]:
    family: Family
    if request.param == "embedded":
        family = EmbeddedFamily(tmp_path)
    else:
        request.getfixturevalue("google")
        family = GoogleFamily()
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
