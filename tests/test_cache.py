"""What was read is not read again: the same document, the same page of another, each tenant's own, for its time."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest_fn.rounds import delete
from shared.cache.entries import CachedPage, document_entry, page_entry
from shared.cache.erase import sweep_cache
from shared.domain.errors import PageRefused
from shared.domain.job import ERASE_LINGER, JobId
from shared.domain.messages import PrepareDocument, RoundEnded, Topic
from shared.domain.options import Lane, Options
from shared.domain.page import Block, Box, Flag, FlagCode, Label, PageImage, PageRead, PageStatus
from shared.domain.status import Status
from shared.layout import cached_page, page_image, page_object, result_json, result_markdown
from shared.pdf.sandbox import Sandbox
from shared.records import from_json, to_json
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.outages import outage
from tests.pipeline import OpenFamily, Pipeline, pipeline, sized_pdf
from tests.servers import Receiver

DAYS = 30.0
MONTH = timedelta(days=DAYS)
PAGES = sized_pdf(200, 210, 220)


class IllustratedEngine(ScriptedEngine):
    """Finds a figure on every page; `flags` are the reading's own."""

    flags: tuple[Flag, ...] = ()

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        future = super().submit(image, options, lane)
        if future.exception() is not None:
            return future
        found: Future[PageRead] = Future()
        figure = Block(id="b2", label=Label.FIGURE, bbox=Box(x0=0, y0=0, x1=50, y1=40))
        read = future.result()
        found.set_result(replace(read, blocks=(*read.blocks, figure), flags=self.flags, usage={"seconds": 2.0}))
        return found


@pytest.fixture
def engine() -> IllustratedEngine:
    return IllustratedEngine()


@pytest.fixture
def pipe(
    either_family: OpenFamily | None, tmp_path: Path, clock: ManualClock, sandbox: Sandbox, engine: IllustratedEngine
) -> Iterator[Pipeline]:
    settings = {"cache_days": DAYS}
    with pipeline(tmp_path / "data", clock, sandbox, engine, settings=settings, open_family=either_family) as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path, clock: ManualClock, sandbox: Sandbox, engine: IllustratedEngine) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "local", clock, sandbox, engine, settings={"cache_days": DAYS}) as opened:
        yield opened


def finished(pipe: Pipeline, data: bytes, **submission: object) -> JobId:
    job_id = pipe.submit(data, **submission)
    pipe.drain()
    assert pipe.job(job_id).status is Status.FINISHED
    return job_id


def key_of(pipe: Pipeline, job_id: JobId, number: int = 1) -> str:
    key = pipe.store.pages(job_id)[number - 1].cache_key
    assert key is not None
    return key


def result(pipe: Pipeline, job_id: JobId) -> bytes:
    return pipe.objects.read(result_markdown(job_id, 1))


def counts(pipe: Pipeline, job_id: JobId) -> tuple[int, int]:
    """How many pages are done, and how many of them came from the cache."""
    done = [page for page in pipe.store.pages(job_id) if page.status is PageStatus.DONE]
    cached = [page for page in done if page.usage.get("cached") == 1 and "seconds" not in page.usage]
    return len(done), len(cached)


def lookups(pipe: Pipeline, kind: str) -> dict[str, int]:
    outcomes = ("hit", "miss", "expired", "damaged")
    values = {each: pipe.platform.metrics.value("cache_lookups_total", kind=kind, outcome=each) for each in outcomes}
    return {outcome: int(value) for outcome, value in values.items() if value}


def entries(pipe: Pipeline) -> list[str]:
    return sorted(pipe.objects.names("cache/"))


def test_the_same_document_is_read_once_and_wakes_no_worker_the_second_time(
    pipe: Pipeline, engine: IllustratedEngine
) -> None:
    first = finished(pipe, PAGES)
    before = engine.readings

    second = pipe.submit(PAGES)
    pipe.drain(topics=(Topic.DOCUMENTS,))

    job = pipe.job(second)
    assert (job.status, job.partial, counts(pipe, second)) == (Status.FINISHED, False, (3, 3))
    assert engine.readings == before == 3
    assert [*pipe._pulled((Topic.PAGES_EXPRESS, Topic.PAGES_BULK))] == []
    assert result(pipe, second) == result(pipe, first)
    assert lookups(pipe, "document") == {"miss": 1, "hit": 1}


def test_a_page_from_the_cache_is_committed_whole(pipe: Pipeline) -> None:
    first, second = finished(pipe, PAGES), finished(pipe, PAGES)

    reads = [from_json(PageRead, pipe.objects.read(page_object(job_id, 2))) for job_id in (first, second)]

    assert reads[1] == replace(reads[0], usage=reads[1].usage)
    assert (reads[0].usage["seconds"], reads[1].usage["cached"]) == (2.0, 1)
    assert "seconds" not in reads[1].usage
    assert pipe.objects.read(page_image(second, 2)) == pipe.objects.read(page_image(first, 2))
    assert reads[1].blocks[1].image is not None
    assert pipe.objects.exists(f"jobs/{second}/{reads[1].blocks[1].image}")
    page = pipe.store.pages(second)[1]
    assert (page.status, page.usage) == (PageStatus.DONE, reads[1].usage)


def test_of_a_document_with_one_page_changed_one_page_is_read(pipe: Pipeline, engine: IllustratedEngine) -> None:
    finished(pipe, PAGES)
    before = engine.readings

    changed = finished(pipe, sized_pdf(200, 215, 220))

    assert engine.readings == before + 1
    assert counts(pipe, changed) == (3, 2)
    assert lookups(pipe, "page") == {"miss": 4, "hit": 2}


def test_a_page_is_found_wherever_it_stands(pipe: Pipeline, engine: IllustratedEngine) -> None:
    finished(pipe, PAGES)
    before = engine.readings

    other = finished(pipe, sized_pdf(220, 200))
    again = finished(pipe, sized_pdf(220, 200))

    assert engine.readings == before
    assert result(pipe, again) == result(pipe, other)


def test_a_selection_of_pages_is_a_document_of_its_own(pipe: Pipeline, engine: IllustratedEngine) -> None:
    finished(pipe, PAGES, pages="1-2")
    before = engine.readings

    every = finished(pipe, PAGES)
    named = finished(pipe, PAGES, pages="r3-r1")

    assert engine.readings == before + 1
    assert counts(pipe, every) == (3, 2)
    assert counts(pipe, named) == (3, 3)


def test_what_changes_no_reading_is_answered_from_the_cache_and_what_does_is_read(
    pipe: Pipeline, engine: IllustratedEngine
) -> None:
    finished(pipe, PAGES)

    finished(pipe, PAGES, options=Options(page_markers=False))
    assert engine.readings == 3
    finished(pipe, PAGES, options=Options(dpi=100))
    finished(pipe, PAGES, options=Options(charts=True))
    assert engine.readings == 9


def test_tenants_share_nothing(pipe: Pipeline, engine: IllustratedEngine) -> None:
    for tenant in ("acme", "globex"):
        pipe.drop(pipe.put(f"inbox/{tenant}/a.pdf", PAGES))
        pipe.drain()

    assert engine.readings == 6
    assert {name.split("/")[2] for name in entries(pipe)} == {"acme", "globex"}


@pytest.mark.parametrize("first", [True, False])
def test_a_job_without_the_cache_neither_reads_nor_writes_it(
    pipe: Pipeline, engine: IllustratedEngine, *, first: bool
) -> None:
    finished(pipe, PAGES, options=Options(cache=first))
    before = entries(pipe)

    finished(pipe, PAGES, options=Options(cache=not first))

    assert engine.readings == 6
    assert bool(before) is first
    assert (entries(pipe) == before) is first


def test_an_installation_without_a_cache_keeps_nothing(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, engine: IllustratedEngine
) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, engine, settings={"cache_days": 0.0}) as pipe:
        for _ in range(2):
            finished(pipe, PAGES)

        assert engine.readings == 6
        assert entries(pipe) == []


def test_a_document_with_a_password_is_neither_kept_nor_taken(pipe: Pipeline, engine: IllustratedEngine) -> None:
    secret = samples.encrypted_pdf("open sesame", ["Secret"])

    for _ in range(2):
        finished(pipe, secret, password="open sesame")

    assert engine.readings == 2
    assert entries(pipe) == []


def test_a_document_with_a_password_is_not_kept_either_where_its_first_try_was_killed(
    local: Pipeline, engine: IllustratedEngine, clock: ManualClock
) -> None:
    secret = samples.encrypted_pdf("open sesame", ["Secret"])
    for effects in range(20):
        job_id = local.submit(secret, password="open sesame")
        if not local.killed(effects, lambda twin: twin.handle(PrepareDocument(job_id=job_id))):  # noqa: B023
            break
        clock.advance(timedelta(minutes=5))
        local.handle(PrepareDocument(job_id=job_id))
    local.drain()

    assert effects > 3
    assert engine.readings == effects + 1
    assert entries(local) == []


@pytest.mark.parametrize("code", ["truncated", "repetition", "empty_block", "unread_block", "malformed_table"])
def test_a_reading_that_another_try_may_mend_is_not_kept(local: Pipeline, engine: IllustratedEngine, code: str) -> None:
    engine.flags = (Flag(code=FlagCode(code), block="b1"),)
    finished(local, PAGES)
    assert entries(local) == []

    engine.flags = ()
    mended = finished(local, PAGES)
    kept = finished(local, PAGES)

    assert (engine.readings, counts(local, mended)) == (6, (3, 0))
    assert counts(local, kept) == (3, 3)


def test_a_flag_that_another_try_would_find_as_well_is_kept_with_the_page(
    local: Pipeline, engine: IllustratedEngine
) -> None:
    engine.flags = (Flag(code=FlagCode.LOW_CONFIDENCE, value="0.4"),)

    finished(local, PAGES)
    again = finished(local, PAGES)

    assert engine.readings == 3
    assert dict(local.job(again).flags) == {"low_confidence": (1, 2, 3)}


def test_a_document_whose_pages_failed_is_not_kept_and_its_good_pages_are(
    pipe: Pipeline, engine: IllustratedEngine
) -> None:
    def refuse(image: PageImage) -> None:
        if image.width == 210:
            raise PageRefused("for a test")

    engine.script = refuse
    assert pipe.job(finished(pipe, PAGES)).partial
    engine.script = None

    whole = finished(pipe, PAGES)

    assert not pipe.job(whole).partial
    assert counts(pipe, whole) == (3, 2)
    assert lookups(pipe, "document") == {"miss": 2}


def test_nothing_is_served_after_its_time_though_nobody_has_swept(
    pipe: Pipeline, engine: IllustratedEngine, clock: ManualClock
) -> None:
    finished(pipe, PAGES)
    clock.advance(MONTH - timedelta(seconds=1))
    finished(pipe, PAGES)
    assert engine.readings == 3

    clock.advance(timedelta(seconds=1))
    finished(pipe, PAGES)

    assert engine.readings == 6
    assert lookups(pipe, "document")["expired"] == 1
    assert lookups(pipe, "page")["expired"] == 3


def test_a_job_that_expires_leaves_the_cache_as_it_is(
    local: Pipeline, engine: IllustratedEngine, clock: ManualClock
) -> None:
    job_id = finished(local, PAGES)
    kept = entries(local)
    clock.advance(local.job(job_id).limits.retention + timedelta(seconds=1))

    local.sweep()

    assert list(local.objects.names(f"jobs/{job_id}/")) == []
    assert entries(local) == kept
    finished(local, PAGES)
    assert engine.readings == 3


def test_deleting_a_job_erases_what_the_cache_has_of_it(
    pipe: Pipeline, engine: IllustratedEngine, clock: ManualClock
) -> None:
    other = finished(pipe, sized_pdf(300))
    kept = entries(pipe)
    job_id = finished(pipe, PAGES)

    delete(job_id, pipe.platform)
    pipe.sweep()

    assert entries(pipe) == kept
    assert pipe.job(other).status is Status.FINISHED
    finished(pipe, PAGES)
    assert engine.readings == 7
    clock.advance(timedelta(hours=25))
    pipe.sweep()


def test_deleting_a_job_that_was_served_from_the_cache_leaves_the_other_its_own_copies(pipe: Pipeline) -> None:
    first, second = finished(pipe, PAGES), finished(pipe, PAGES)
    before = result(pipe, first)

    delete(second, pipe.platform)
    pipe.sweep()

    assert entries(pipe) == []
    assert result(pipe, first) == before
    assert pipe.objects.exists(page_image(first, 3))


def test_what_a_worker_kept_while_its_job_was_being_erased_is_erased_the_second_time(
    pipe: Pipeline, clock: ManualClock
) -> None:
    job_id = finished(pipe, PAGES)
    copies = {name: pipe.objects.read(name) for name in entries(pipe)}
    delete(job_id, pipe.platform)
    pipe.sweep()
    for name, data in copies.items():
        pipe.objects.create(name, data)

    clock.advance(ERASE_LINGER + timedelta(seconds=1))
    pipe.sweep()

    assert entries(pipe) == []
    clock.advance(timedelta(hours=24))
    pipe.sweep()
    assert list(pipe.objects.names(f"jobs/{job_id}/")) == []


def test_erasing_killed_between_any_two_of_its_effects_leaves_nothing_in_the_cache(
    local: Pipeline, clock: ManualClock
) -> None:
    for effects in range(60):
        job_id = finished(local, PAGES)
        delete(job_id, local.platform)

        died = local.killed(effects, lambda twin: twin.sweep())
        clock.advance(timedelta(minutes=5))
        local.sweep()

        assert entries(local) == []
        if not died:
            break

    assert not died
    assert effects > 5


def spoilt(pipe: Pipeline, name: str, data: bytes) -> None:
    assert pipe.objects.erase(name) == 1
    assert pipe.objects.create(name, data)


def later(pipe: Pipeline, key: str) -> bytes:
    """The entry as a later version may write it."""
    entry = from_json(CachedPage, pipe.objects.read(page_entry("default", key)))
    return to_json(replace(entry, schema=entry.schema + 1))


def later_reading(pipe: Pipeline, key: str) -> bytes:
    entry = from_json(CachedPage, pipe.objects.read(page_entry("default", key)))
    return to_json(replace(entry, read=replace(entry.read, schema=entry.read.schema + 1)))


def misnamed(pipe: Pipeline, key: str) -> bytes:
    entry = from_json(CachedPage, pipe.objects.read(page_entry("default", key)))
    blocks = tuple(replace(block, image="images/../../up") for block in entry.read.blocks)
    return to_json(replace(entry, read=replace(entry.read, blocks=blocks)))


def cut_short(pipe: Pipeline, key: str) -> bytes:
    return pipe.objects.read(page_entry("default", key))[:40]


@pytest.mark.parametrize("damage", [later, later_reading, misnamed, cut_short, lambda *_: b""])
def test_a_page_whose_entry_cannot_be_used_is_read(
    local: Pipeline, engine: IllustratedEngine, damage: Callable[[Pipeline, str], bytes]
) -> None:
    key = key_of(local, finished(local, PAGES), 2)
    spoilt(local, page_entry("default", key), damage(local, key))

    again = finished(local, PAGES)

    assert engine.readings == 4
    assert not local.job(again).partial
    assert lookups(local, "page")["damaged"] == 2  # prepare and the worker both looked


@pytest.mark.parametrize("part", ["page.jpg", "images/"])
def test_a_page_of_whose_entry_a_part_is_gone_is_read(local: Pipeline, engine: IllustratedEngine, part: str) -> None:
    key = key_of(local, finished(local, PAGES), 2)
    assert local.objects.erase(cached_page("default", key) + part) == 1

    again = finished(local, PAGES)

    assert engine.readings == 4
    assert counts(local, again) == (3, 2)


def test_an_entry_of_which_parts_were_gone_is_whole_again_once_its_page_was_read(
    pipe: Pipeline, engine: IllustratedEngine
) -> None:
    key = key_of(pipe, finished(pipe, PAGES), 2)
    whole = entries(pipe)
    assert sum(pipe.objects.erase(cached_page("default", key) + part) for part in ("page.jpg", "images/")) == 2
    finished(pipe, PAGES)
    assert engine.readings == 4

    again = finished(pipe, PAGES)

    assert engine.readings == 4
    assert counts(pipe, again) == (3, 3)
    assert entries(pipe) == whole


def test_a_document_whose_entry_is_damaged_is_put_together_by_the_workers(
    local: Pipeline, engine: IllustratedEngine
) -> None:
    key = local.job(finished(local, PAGES)).cache_key
    assert key is not None
    spoilt(local, document_entry("default", key), b"{}")

    again = finished(local, PAGES)

    assert engine.readings == 3
    assert counts(local, again) == (3, 3)
    assert lookups(local, "document") == {"miss": 1, "damaged": 1}


def test_a_page_is_done_though_it_cannot_be_kept(local: Pipeline, engine: IllustratedEngine) -> None:
    with outage(local, create=lambda name, _: name.startswith("cache/")):
        finished(local, PAGES)

    assert entries(local) == [name for name in entries(local) if not name.endswith(".json")]
    assert local.platform.metrics.value("cache_entries_lost_total", kind="page") == 3
    assert local.platform.metrics.value("cache_entries_lost_total", kind="document") == 1
    finished(local, PAGES)
    assert engine.readings == 6


def test_a_page_waits_while_the_cache_is_away_and_is_no_suspect(
    local: Pipeline, engine: IllustratedEngine, clock: ManualClock
) -> None:
    finished(local, PAGES)
    changed = local.submit(sized_pdf(200, 215, 220))
    local.handle(PrepareDocument(job_id=changed))

    with outage(local, read=lambda name: name.startswith("cache/")):
        local.drain()
        assert [page.tries for page in local.store.pages(changed)] == [0, 0, 0]
    clock.advance(timedelta(minutes=1))
    local.drain()

    assert local.job(changed).status is Status.FINISHED
    assert engine.readings == 4


def prepared(pipe: Pipeline, job_id: JobId) -> None:
    pipe.handle(PrepareDocument(job_id=job_id))


@pytest.mark.parametrize("known", [PAGES, sized_pdf(200, 220)])
def test_killed_between_any_two_effects_a_document_that_is_known_or_partly_known_ends_right(
    local: Pipeline, engine: IllustratedEngine, known: bytes
) -> None:
    """Prepare is killed, then whatever follows; what was known is not read again."""
    finished(local, known)
    expected = None
    with Receiver() as receiver:
        for effects in range(80):
            job_id = local.submit(PAGES, callback_url=f"{receiver.url}/{effects}")
            died = local.killed(effects, lambda twin: twin.drain())
            local.drain(lost=lambda _: True)
            local.heal(hours=4, done=lambda: told(local, job_id))  # noqa: B023 - called at once

            job = local.job(job_id)
            assert (job.status, job.partial, job.round) == (Status.FINISHED, False, 1)
            expected = expected or result(local, job_id)
            assert result(local, job_id) == expected
            assert local.objects.exists(result_json(job_id, 1))
            if not died:
                break

    assert not died
    assert effects > 10
    most = 0 if known == PAGES else effects + 1
    assert 3 <= engine.readings + (known != PAGES) <= 3 + most
    assert {request.target for request in receiver.received} == {f"/{number}" for number in range(effects + 1)}


def told(pipe: Pipeline, job_id: JobId) -> bool:
    return any(callback.end is not None for callback in pipe.job(job_id).callbacks)


def test_reading_killed_between_any_two_effects_leaves_only_entries_that_are_whole(
    local: Pipeline,
) -> None:
    for effects in range(80):
        document = sized_pdf(200 + effects)
        job_id = local.submit(document)
        prepared(local, job_id)
        died = local.killed(effects, lambda twin: twin.drain())
        local.drain(lost=lambda _: True)
        local.heal(hours=4, done=lambda: not local.job(job_id).is_unfinished)  # noqa: B023 - called at once

        for name in [name for name in entries(local) if name.endswith("page.json")]:
            entry = from_json(CachedPage, local.objects.read(name))
            folder = name.removesuffix("page.json")
            images = {block.image for block in entry.read.blocks if block.image}
            assert {folder + each for each in (*images, "page.jpg")} <= set(entries(local))
        again = finished(local, document)
        assert result(local, again) == result(local, job_id)
        if not died:
            break

    assert not died
    assert effects > 5


YEARS = timedelta(days=3650)
"""Files bear the system's time, whatever the test's clock says."""


def test_a_sweep_looks_into_one_part_of_the_cache_and_all_sweeps_together_into_each(
    local: Pipeline, clock: ManualClock
) -> None:
    for width in range(200, 212, 3):
        finished(local, sized_pdf(width, width + 1, width + 2))
    kept = entries(local)
    sweep_cache(local.platform)
    assert entries(local) == kept

    clock.advance(YEARS)
    most = 0
    for _ in range(5000):
        before = len(parts(local))
        sweep_cache(local.platform)
        most = max(most, before - len(parts(local)))
        clock.advance(timedelta(seconds=60))

    assert entries(local) == []
    assert most == 1
    assert not any((local.platform.settings.data / "objects" / "cache").glob("*/*"))


def test_an_entry_whose_picture_an_older_one_has_too_stays_whole_for_its_own_time(
    local: Pipeline, engine: IllustratedEngine, clock: ManualClock
) -> None:
    finished(local, sized_pdf(200, 210))
    dated(local, clock.now())
    clock.advance(MONTH - timedelta(days=1))
    finished(local, sized_pdf(200, 300))
    assert engine.readings == 3

    clock.advance(timedelta(days=2))
    swept(local, clock)
    fresh = finished(local, sized_pdf(300))

    assert engine.readings == 3
    assert counts(local, fresh) == (1, 1)
    assert lookups(local, "page").get("damaged", 0) == 0


def test_an_entry_that_is_too_old_goes_as_a_whole(local: Pipeline, clock: ManualClock) -> None:
    finished(local, PAGES)
    dated(local, clock.now())
    young = [local.platform.settings.data / "objects" / name for name in entries(local) if "/images/" in name]
    for path in young:
        os.utime(path, times=((clock.now() + MONTH).timestamp(),) * 2)

    clock.advance(MONTH + timedelta(days=1))
    swept(local, clock)

    assert entries(local) == []
    assert young


def dated(pipe: Pipeline, moment: datetime) -> None:
    """Let every file be of this moment by the test's clock."""
    for path in (pipe.platform.settings.data / "objects").rglob("*.*"):
        os.utime(path, times=(moment.timestamp(),) * 2)


def swept(pipe: Pipeline, clock: ManualClock) -> None:
    """Let each part of the cache have its turn."""
    for _ in range(4000):
        sweep_cache(pipe.platform)
        clock.advance(timedelta(seconds=1))


def test_without_a_cache_what_was_kept_before_is_swept(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, local: Pipeline
) -> None:
    finished(local, PAGES)
    clock.advance(YEARS)
    with pipeline(tmp_path / "local", clock, sandbox, settings={"cache_days": 0.0}) as off:
        for _ in range(5000):
            sweep_cache(off.platform)
            clock.advance(timedelta(seconds=60))

        assert entries(off) == []


def parts(pipe: Pipeline) -> set[str]:
    return {name.split("/")[1] for name in entries(pipe)}


def test_a_callback_is_sent_for_a_document_from_the_cache_as_for_any_other(local: Pipeline) -> None:
    finished(local, PAGES)
    with Receiver() as receiver:
        job_id = local.submit(PAGES, callback_url=f"{receiver.url}/hook")
        prepared(local, job_id)
        local.handle(RoundEnded(job_id=job_id, round=1))

        assert len(receiver.received) == 1
