"""Batches: a list in the inbox becomes a stored batch, and each of its lines a job, in steps that may be repeated."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import BinaryIO

from ingest_fn.inbox import Dropping, inbox_key, read_sidecar, start
from ingest_fn.lists import Line, lines, wanted
from ingest_fn.sources import open_source
from ingest_fn.submit import Submission
from shared.domain.batch import Batch, BatchId, new_batch
from shared.domain.errors import FetchFailed, InvalidRequest, TooLarge, UnknownBatch
from shared.domain.job import Job, Source, SourceKind
from shared.domain.options import Lane
from shared.outbox import claimed_folder, line_folder

LISTS = (".txt", ".jsonl")

_STEP = 100
"""Lines between two notes of how far we are: what a killed process did since then is looked at once more."""
_THREADS = 16
"""Each job is a write or two; waiting for them in turn would take a long list half an hour."""


def drop_list(name: str, version: str, tenant: str, dropping: Dropping) -> None:
    """Store the batch of this version of a list and start its lines.

    Where the batch is known, an earlier event's start is under way, or has died and is `sweep`'s to go on with.
    """
    batch, is_new = _batch(name, version, tenant, dropping)
    if is_new:
        start_lines(batch, dropping)


def start_lines(batch: Batch, dropping: Dropping) -> None:
    """Start a job for each line from the first that was not. Two at once start none twice."""
    platform = dropping.platform
    source = Source(kind=SourceKind.OBJECT, location=batch.source, name="", version=batch.version)
    try:
        defaults = read_sidecar(batch.source, platform.objects)
        with open_source(source, platform.objects, most=platform.settings.max_bytes) as file:
            _check_length(file, batch, platform.settings.max_list_lines)
            total = _start(file, batch, defaults, dropping)
    except (FetchFailed, InvalidRequest, TooLarge) as error:
        failure = error.failure
        platform.batches.update(batch.id, lambda each: each.failed(failure, now=platform.clock.now()))
        return
    platform.batches.update(batch.id, lambda each: each.started_all(total, now=platform.clock.now()))


def _batch(name: str, version: str, tenant: str, dropping: Dropping) -> tuple[Batch, bool]:
    """Return the batch of this version of a list, and whether it was stored now."""
    platform = dropping.platform
    batch_id = BatchId(hashlib.sha256(json.dumps(["inbox", name, version]).encode()).hexdigest()[:32])
    try:
        return platform.batches.get(batch_id), False
    except UnknownBatch:
        folder, limits = claimed_folder(name, version, platform.objects), platform.settings.limits
        now = platform.clock.now()
        made = new_batch(
            id=batch_id, tenant=tenant, source=name, version=version, outbox=folder, limits=limits, now=now
        )
        return platform.batches.add(made)


def _check_length(file: BinaryIO, batch: Batch, most: int) -> None:
    """Before any line is started: a list is taken whole or not at all."""
    if sum(1 for _ in islice(lines(file, batch.source), most + 1)) > most:
        raise TooLarge(public=f"The list has more than {most:,} lines, the most that is accepted.")
    file.seek(0)


def _start(file: BinaryIO, batch: Batch, defaults: Mapping[str, object], dropping: Dropping) -> int:
    def start_one(line: Line) -> Job:
        return _start_line(line, batch, defaults, dropping)

    started = batch.started
    left = islice(lines(file, batch.source), started, None)
    with ThreadPoolExecutor(_THREADS) as threads:
        for step in _steps(left):
            started += len([*threads.map(start_one, step)])
            _note(batch, started, dropping)
    return started


def _note(batch: Batch, started: int, dropping: Dropping) -> None:
    now = dropping.platform.clock.now()
    dropping.platform.batches.update(batch.id, lambda each: each.advanced(started, now=now))


def _start_line(line: Line, batch: Batch, defaults: Mapping[str, object], dropping: Dropping) -> Job:
    bare = Submission(
        tenant=batch.tenant,
        priority=Lane.BULK,
        batch=batch.id,
        line=line.number,
        outbox=line_folder(batch.outbox, line.number),
    )
    asked = wanted(line, batch.source, bare, defaults, dropping)
    return start(asked, inbox_key(batch.id, line.number), dropping)


def _steps(left: Iterator[Line]) -> Iterator[list[Line]]:
    while step := [*islice(left, _STEP)]:
        yield step
