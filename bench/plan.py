"""The simulation beside the real embedded pipeline: the same documents at the same moments, with an engine of set pace.

    python -m bench.plan [--json]

The engine reads 8 pages at once, each in a second. Documents of 1, 4, 12 and 40 pages come at random, so that it has
work for three quarters of the time. The one figure that the simulation is given of the real run is what a page alone
takes beyond the engine's second, on the idle pipeline. `plan.read_after` are times from a document's arrival to its
end; the baseline is the simulation's, so a ratio of 1.1 says that the real one took a tenth longer.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import mean, median

import pymupdf

from bench.report import Figure, show, wants_json
from bench.stub import PacedEngine
from gpu_worker.worker import Worker
from ingest_fn.prepare import Preparing, prepare
from ingest_fn.submit import Submission, Upload, new_id, sha256_of, submit_upload
from local.plan.arrivals import BULK, EXPRESS, Arrival
from local.plan.scenario import Pool
from local.plan.simulate import Ended, simulate
from shared.config import Settings
from shared.consume import Consumer
from shared.domain.job import JobId
from shared.domain.messages import Message, PrepareDocument, Topic
from shared.domain.options import Lane
from shared.net.guard import Guard
from shared.wiring import Platform, embedded, started_sandbox

CAPACITY, PAGE_SECONDS, LOAD = 8, 1.0, 0.75
LENGTHS = {1: 8, 4: 5, 12: 3, 40: 1}
SECONDS = 60.0
WARM_UPS = 5
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """A document's time from its arrival to its end."""

    lane: int
    seconds: float


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    come = _documents(random.Random(4))
    with tempfile.TemporaryDirectory() as folder, _pipeline(Path(folder)) as platform:
        alone = median(_alone(platform) for _ in range(WARM_UPS))
        real = _real(come, platform)
    simulated = _simulated(come, overhead=alone - PAGE_SECONDS)
    return [
        Figure(name="plan.overhead_of_a_page_alone", value=1000 * (alone - PAGE_SECONDS), unit="ms"),
        *_compared("express", _of(real, EXPRESS), _of(simulated, EXPRESS)),
        *_compared("bulk", _of(real, BULK), _of(simulated, BULK)),
    ]


def _compared(lane: str, real: Sequence[float], simulated: Sequence[float]) -> Iterator[Figure]:
    for name, figure in (("mean", mean), ("p50", median), ("p95", _p95), ("longest", max)):
        yield Figure(name=f"plan.read_after.{lane}.{name}", value=figure(real), unit="s", baseline=figure(simulated))


def _documents(chance: random.Random) -> list[Arrival]:
    pages = sum(size * weight for size, weight in LENGTHS.items()) / sum(LENGTHS.values())
    rate, at, found = LOAD * CAPACITY / PAGE_SECONDS / pages, 0.0, []
    while (at := at + chance.expovariate(rate)) < SECONDS:
        (size,) = chance.choices(list(LENGTHS), list(LENGTHS.values()))
        found.append(Arrival(at, size, EXPRESS if size <= 4 else BULK))
    return found


def _simulated(come: Sequence[Arrival], *, overhead: float) -> list[Took]:
    pool = Pool(slots=CAPACITY, full=PAGE_SECONDS, alone=PAGE_SECONDS, spread=0.0, max_gpus=1, min_gpus=1)
    run = simulate([each._replace(at=each.at + overhead) for each in come], pool, seed=1)
    return [_took(each, overhead) for each in run.documents]


def _took(each: Ended, overhead: float) -> Took:
    return Took(lane=each.arrival.lane, seconds=each.ended - each.arrival.at + overhead)


@contextmanager
def _pipeline(folder: Path) -> Iterator[Platform]:
    settings = Settings(data=folder, engine="null", cache_days=0.0)
    family = embedded(settings, base_url="http://127.0.0.1")
    platform = family.platform
    sandbox = started_sandbox(settings)
    preparing = Preparing(platform=platform, sandbox=sandbox, guard=Guard(allowed=settings.fetch_allow))
    worker = Worker(platform, sandbox, PacedEngine(capacity=CAPACITY, seconds=PAGE_SECONDS))

    def handle(message: Message) -> None:
        if isinstance(message, PrepareDocument):
            prepare(message, preparing)

    documents = Consumer(platform.bus, Topic.DOCUMENTS, handle, threads=4, metrics=platform.metrics)
    worker.start()
    documents.start()
    try:
        yield platform
    finally:
        documents.stop()
        worker.stop(grace=GRACE_SECONDS)
        documents.join(GRACE_SECONDS)
        sandbox.close()
        family.close()


def _alone(platform: Platform) -> float:
    return _ended(_submitted(1, EXPRESS, platform), platform)


def _real(come: Sequence[Arrival], platform: Platform) -> list[Took]:
    started, jobs = time.monotonic(), []
    for each in come:
        time.sleep(max(0.0, started + each.at - time.monotonic()))
        jobs.append(_submitted(each.pages, each.lane, platform))
    return [Took(lane=each.lane, seconds=_ended(job, platform)) for each, job in zip(come, jobs, strict=True)]


def _submitted(pages: int, lane: int, platform: Platform) -> JobId:
    file = BytesIO(_pdf(pages))
    upload = Upload(file=file, name="a.pdf", sha256=sha256_of(file))
    asked = Submission(tenant="bench", priority=Lane.EXPRESS if lane == EXPRESS else Lane.BULK)
    return submit_upload(asked, upload, platform=platform, new_id=new_id).job.id


def _ended(job_id: JobId, platform: Platform) -> float:
    """Wait for the job's end; return its seconds as the store has them."""
    while (job := platform.store.get(job_id)).ended_at is None:
        time.sleep(0.02)
    return (job.ended_at - job.created_at).total_seconds()


def _pdf(pages: int) -> bytes:
    document = pymupdf.open()
    for _ in range(pages):
        document.new_page(width=200, height=200)
    return bytes(document.tobytes())


def _of(took: Sequence[Took], lane: int) -> list[float]:
    return [each.seconds for each in took if each.lane == lane]


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


if __name__ == "__main__":
    main()
