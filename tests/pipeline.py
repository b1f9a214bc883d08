"""The whole pipeline on embedded adapters, one message at a time, under a clock that the test moves."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pymupdf

from gpu_worker.claims import Claims
from gpu_worker.commit import Reading
from gpu_worker.process import read_range
from gpu_worker.slots import Slots
from ingest_fn.context import new_id
from ingest_fn.prepare import Preparing, prepare
from ingest_fn.submit import Submission, Upload, sha256_of, submit_upload
from ingest_fn.sweep import sweep
from notifier.deliver import Delivering, deliver
from notifier.hosts import HostCap
from shared.config import Settings
from shared.consume import HandBack
from shared.domain.errors import PagemillError
from shared.domain.job import Job, JobId
from shared.domain.messages import Message, PrepareDocument, ReadRange, RoundEnded, Topic
from shared.domain.webhook import parse_secret
from shared.net.address import Allowed
from shared.net.guard import Guard
from shared.pdf.sandbox import Sandbox
from shared.ports.clock import Clock
from shared.ports.engine import OcrEngine
from shared.wiring import embedded
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine

SECRET = "whsec_" + "bm90IGEgcmVhbCBzZWNyZXQsIGJ1dCBsb25n"

Lost = Callable[[Message], bool]


class Pipeline:
    """`drain` handles the messages that there are; `heal` lets time pass, sweeping."""

    topics = tuple(Topic)

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        sandbox: Sandbox,
        engine: OcrEngine | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        chosen = Settings(
            data=folder,
            engine="null",
            fetch_allow=Allowed.parse("127.0.0.1"),
            callback_allow_http=True,
            callback_secret=(parse_secret(SECRET),),
            **(settings or {}),
        )
        self.clock = clock
        self.embedded = embedded(chosen, base_url="http://127.0.0.1", clock=clock)
        self.platform = self.embedded.platform
        self.store, self.objects, self.bus = self.platform.store, self.platform.objects, self.platform.bus
        self.engine = engine or ScriptedEngine()
        guard = Guard(allowed=chosen.fetch_allow)
        self.preparing = Preparing(platform=self.platform, sandbox=sandbox, guard=guard)
        self.reading = Reading(
            platform=self.platform,
            sandbox=sandbox,
            engine=self.engine,
            slots=Slots(self.engine.capacity),
            claims=Claims(self.store, clock, me=new_id()),
            finishers=ThreadPoolExecutor(self.engine.capacity),
        )
        self.delivering = Delivering(
            platform=self.platform,
            guard=guard,
            secrets=chosen.callback_secret,
            hosts=HostCap(4),
            chance=random.Random(7).random,
        )

    def submit(self, data: bytes, **submission: object) -> JobId:
        asked = Submission(tenant="default", **submission)  # type: ignore[arg-type]  # the test's own fields
        with samples.file(data) as file:
            upload = Upload(file=file, name="document.pdf", sha256=sha256_of(file))
            return submit_upload(asked, upload, platform=self.platform, new_id=new_id).job.id

    def handle(self, message: Message) -> None:
        match message:
            case PrepareDocument():
                prepare(message, self.preparing)
            case ReadRange():
                read_range(message, self.reading)
            case RoundEnded():
                deliver(message, self.delivering)

    def drain(self, *, lost: Lost | None = None, times: int = 1, topics: Sequence[Topic] = tuple(Topic)) -> None:
        """Handle every message that is visible now, each `times` times, but those that `lost` says the bus lost."""
        found = True
        while found:
            found = False
            for topic in topics:
                for delivery in self.bus.pull(topic, limit=10, wait=0):
                    found = True
                    if lost is not None and lost(delivery.message):
                        delivery.ack()
                        continue
                    try:
                        for _ in range(times):
                            self.handle(delivery.message)
                    except HandBack as reason:
                        delivery.hand_back(delay=max(reason.delay or timedelta(0), timedelta(seconds=1)))
                    except PagemillError:
                        delivery.hand_back()
                    else:
                        delivery.ack()

    def sweep(self) -> None:
        sweep(self.platform)

    def heal(self, *, lost: Lost | None = None, hours: float = 30, step: timedelta = timedelta(minutes=5)) -> None:
        """Let time pass, with a sweep at each step and whatever it brings."""
        assert isinstance(self.clock, ManualClock)
        until = self.clock.now() + timedelta(hours=hours)
        while self.clock.now() < until:
            self.clock.advance(step)
            self.sweep()
            self.drain(lost=lost)

    def ended(self, job_id: JobId) -> RoundEnded:
        """What the bus says of the end of the job's round."""
        return RoundEnded(job_id=job_id, round=self.job(job_id).round)

    def job(self, job_id: JobId) -> Job:
        return self.store.get(job_id)

    def close(self) -> None:
        self.reading.finishers.shutdown()
        self.embedded.close()


@contextmanager
def pipeline(
    folder: Path,
    clock: Clock,
    sandbox: Sandbox,
    engine: OcrEngine | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Pipeline]:
    """`settings` are those that the test is about."""
    opened = Pipeline(folder, clock, sandbox, engine, settings)
    try:
        yield opened
    finally:
        opened.close()


def sized_pdf(*widths: int) -> bytes:
    """A PDF whose pages are known by their widths in points, which at the null engine's 72 dpi are pixels."""
    document = pymupdf.open()
    for width in widths:
        document.new_page(width=width, height=200)
    return bytes(document.tobytes())
