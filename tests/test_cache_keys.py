"""What makes two pages or two documents the same, and what a job's record says of it."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.cache.keys import document_key, may_be_cached, page_key
from shared.config import Settings
from shared.domain.job import Job
from shared.domain.options import Options
from shared.domain.page import Box, Flag, FlagCode, Page, PageImage
from shared.layout import cached_document, cached_page
from shared.ports.objects import is_name
from shared.records import from_json, to_plain
from tests.builders import a_job, a_running_job
from tests.clocks import NOON

RECIPE = "0123456789abcdef"
RGB = bytes(range(240)) * 3
IMAGE = PageImage(rgb=memoryview(RGB), width=24, height=10, dpi=72, pictures=(Box(x0=0, y0=0, x1=5, y1=5),))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "change",
    [
        {"rgb": memoryview(RGB[:-1] + b"\0")},
        {"width": 10, "height": 24},
        {"dpi": 144},
        {"pictures": ()},
        {"pictures": (Box(x0=0, y0=0, x1=5, y1=6),)},
        {"flags": (Flag(code=FlagCode.DPI_REDUCED, value="144->72"),)},
    ],
    ids="-".join,
)
def test_whatever_an_engine_is_given_makes_another_page(change: dict[str, Any]) -> None:
    assert page_key(replace(IMAGE, **change), RECIPE) != page_key(IMAGE, RECIPE)


def test_the_same_pixels_are_the_same_page_and_another_recipe_is_another_reading() -> None:
    copied = replace(IMAGE, rgb=memoryview(bytearray(RGB)))

    assert page_key(copied, RECIPE) == page_key(IMAGE, RECIPE)
    assert page_key(IMAGE, "f" * 16) != page_key(IMAGE, RECIPE)


def test_a_document_is_its_bytes_its_pages_and_its_recipe() -> None:
    keys = {
        document_key(io.BytesIO(data), numbers, recipe)
        for data in (b"one", b"two")
        for numbers in ((1, 2), (1, 12), (11, 2), (2,))
        for recipe in (RECIPE, "f" * 16)
    }

    assert len(keys) == 16


def test_a_document_is_read_from_its_beginning() -> None:
    file = io.BytesIO(b"document")
    file.read(3)

    assert document_key(file, (1,), RECIPE) == document_key(io.BytesIO(b"document"), (1,), RECIPE)


@pytest.mark.parametrize("tenant", ["a", "default", "x" * 64])
def test_the_longest_selection_has_a_name_and_no_tenant_is_in_anothers(tenant: str) -> None:
    document = cached_document(tenant, document_key(io.BytesIO(b""), range(1, 2001), RECIPE))
    page = cached_page(tenant, page_key(IMAGE, RECIPE))

    assert is_name(document + "document.json")
    assert is_name(page + "images/0123456789abcdef.png")
    assert document.split("/")[2] == page.split("/")[2] == tenant


@pytest.mark.parametrize(
    ("job", "days", "may"),
    [
        (a_job(), 30.0, True),
        (a_job(), 0.0, False),
        (a_job(options=Options(cache=False)), 30.0, False),
        (a_job(sealed_password="sealed"), 30.0, False),
    ],
)
def test_what_may_be_cached(job: Job, days: float, *, may: bool) -> None:
    assert may_be_cached(job, Settings(cache_days=days)) is may


def test_records_of_a_version_without_a_cache_are_read_and_know_no_entry() -> None:
    job, page = to_plain(a_running_job()), to_plain(Page(number=1))
    del job["cache_key"], page["cache_key"]

    assert from_json(Job, json.dumps(job)).cache_key is None
    assert from_json(Page, json.dumps(page)).cache_key is None


def test_a_job_that_expires_forgets_its_entry_and_one_that_was_deleted_does_not() -> None:
    job = replace(a_running_job(), cache_key="recipe/digest")

    expired = job.expired(now=NOON)
    deleted = job.erased(now=NOON)

    assert (expired.cache_key, expired.erased_at) == (None, NOON)
    assert deleted.cache_key == "recipe/digest"
    assert deleted.expired(now=NOON + SECOND) == deleted
    assert deleted.buried().cache_key is None
