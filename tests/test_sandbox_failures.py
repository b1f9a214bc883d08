"""Pages that hang, crash or are damaged: what each costs, and that it costs no more."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.errors import DocumentError, PageError, RenderCrashed, RenderTimeout, Unavailable
from shared.pdf.sandbox import Limits, RenderedPage, Sandbox
from tests import samples
from tests.samples import BLUE, GREEN, RED

SECONDS = 0.4


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(page_seconds=SECONDS, open_seconds=5, memory_bytes=500_000_000)) as sandbox:
        yield sandbox


def test_a_page_that_hangs_ends_at_its_deadline_and_the_next_one_is_read(sandbox: Sandbox) -> None:
    with samples.file(samples.hanging_pdf()) as file, sandbox.open(file) as document:
        began = time.monotonic()
        with pytest.raises(RenderTimeout, match="page 1: not done after"):
            document.render(1, dpi=72)
        took = time.monotonic() - began

        with document.render(2, dpi=72) as page:
            assert page.image.width == 595
    assert SECONDS <= took < SECONDS + 1


def test_a_page_that_bombs_memory_crashes_and_the_next_one_is_read(sandbox: Sandbox) -> None:
    with samples.file(samples.crashing_pdf()) as file, sandbox.open(file) as document:
        with pytest.raises(RenderCrashed):
            document.render(1, dpi=72)

        with document.render(2, dpi=72) as page:
            assert page.image.width == 595


def test_a_closed_sandbox_opens_nothing_and_its_documents_are_not_blamed() -> None:
    closing = Sandbox()
    with samples.file(samples.pdf(["One"])) as file, closing.open(file) as document:
        closing.close()

        with pytest.raises(Unavailable):
            document.render(1, dpi=72)
        with pytest.raises(Unavailable):
            closing.open(file)
    closing.close()


def test_a_closed_document_renders_nothing(sandbox: Sandbox) -> None:
    with samples.file(samples.pdf(["One"])) as file, sandbox.open(file) as document:
        document.close()

        with pytest.raises(ValueError, match="closed"):
            document.render(1, dpi=72)


def test_many_threads_get_each_their_own_pages(sandbox: Sandbox) -> None:
    colours = (RED, GREEN, BLUE, (1, 2, 3))

    def read(index: int) -> bool:
        colour = colours[index % 4]
        with samples.file(samples.tiff([colour] * 3)) as file, sandbox.open(file) as document:
            return all(all_pixels(document.render(number, dpi=72), colour) for number in (1, 2, 3))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(40)))


def all_pixels(page: RenderedPage, colour: tuple[int, int, int]) -> bool:
    with page:
        return bytes(page.image.rgb) == bytes(colour) * 1200


ORIGINALS = [
    samples.pdf(["Some text", "More of it"]),
    samples.annotated_pdf(),
    samples.encrypted_pdf(""),
    samples.illustrated_pdf((10, 10, 200, 200)),
    samples.hanging_pdf(),
    samples.jpeg(orientation=3),
    samples.tiff(),
    samples.webp(),
    samples.png(),
]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A document with some bytes changed, a piece doubled, or its end cut off."""
    data = bytearray(draw(st.sampled_from(ORIGINALS)))
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 20))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if draw(st.booleans()):
        start = chance.randrange(len(data))
        data[start:start] = data[start : start + chance.randrange(1, 200)]
    return bytes(data[: chance.randrange(1, len(data))] if draw(st.booleans()) else data)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=mutants())
def test_a_damaged_document_is_read_or_fails_by_name(sandbox: Sandbox, data: bytes) -> None:
    try:
        with samples.file(data) as file, sandbox.open(file) as document:
            for number in range(1, min(document.page_count, 2) + 1):
                try:
                    document.render(number, dpi=36).close()
                except PageError:
                    continue
    except DocumentError:
        return
