"""The whole pipeline on real adapters, one message at a time, under a clock that the test moves."""

import copy
import random
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pymupdf

from gpu_worker.claims import Claims
from gpu_worker.commit import Reading
from gpu_worker.liveness import Liveness
from gpu_worker.process import read_range
from gpu_worker.slots import Slots
from ingest_fn.drop import Dropped, drop
from ingest_fn.inbox import Dropping
from ingest_fn.prepare import Preparing, prepare
from ingest_fn.submit import Submission, Upload, new_id, sha256_of, submit_upload
from ingest_fn.sweep import sweep
from ingest_fn.sweep_batches import sweep_batches
from notifier.deliver import Delivering, deliver
from notifier.hosts import HostCap
from shared.config import Settings
from shared.consume import HandBack
from shared.domain.errors import PagemillError
from shared.domain.job import Job, JobId, Progress
from shared.domain.messages import Message, PrepareDocument, ReadRange, RoundEnded, Topic
from shared.domain.webhook import parse_secret
from shared.net.address import Allowed
from shared.net.guard import Guard, public_authorities
from shared.pdf.sandbox import Sandbox
from shared.ports.bus import Delivery
from shared.ports.clock import Clock
from shared.ports.engine import OcrEngine
from shared.wiring import Opened, Platform, embedded
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.mortal import Killed, Life, mortal

SECRET = "whsec_" + "bm90IGEgcmVhbCBzZWNyZXQsIGJ1dCBsb25n"

Lost = Callable[[Message], bool]
OpenFamily = Callable[[Settings, Clock], Opened]


class Pipeline:
    """`drain` handles the messages that there are; `heal` lets time pass, sweeping."""

    topics = tuple(Topic)

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        sandbox: Sandbox,
        engine: OcrEngine | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        open_family: OpenFamily | None = None,
    ) -> None:
        chosen = Settings(
            data=folder,
            engine="null",
            fetch_allow=Allowed.parse("127.0.0.1"),
            callback_allow_http=True,
            callback_secret=(parse_secret(SECRET),),
            **({"cache_days": 0.0} | dict(settings or {})),  # what is read once more is what most tests count
        )
        self.clock, self._sandbox = clock, sandbox
        self.opened = (open_family or _embedded)(chosen, clock)
        self.engine = engine or ScriptedEngine()
        self._build(self.opened.platform)

    def _build(self, platform: Platform) -> None:
        """Put the parts together, as each deployable's process does."""
        settings = platform.settings
        self.platform = platform
        self.store, self.objects, self.bus = platform.store, platform.objects, platform.bus
        guard = Guard(allowed=settings.fetch_allow, tls=_authorities())
        self.preparing = Preparing(platform=platform, sandbox=self._sandbox, guard=guard)
        self.reading = Reading(
            platform=platform,
            sandbox=self._sandbox,
            engine=self.engine,
            slots=Slots(self.engine.capacity),
            claims=Claims(self.store, self.clock, me=new_id()),
            liveness=Liveness(self.store),
            finishers=ThreadPoolExecutor(self.engine.capacity),
            aside=ThreadPoolExecutor(self.engine.capacity),
        )
        callbacks = Guard(allowed=settings.fetch_allow, allow_http=True, tls=guard.tls)
        self.dropping = Dropping(platform=platform, sources=guard, callbacks=callbacks, new_id=new_id)
        self.delivering = Delivering(
            platform=platform,
            guard=guard,
            secrets=settings.callback_secret,
            hosts=HostCap(4),
            chance=random.Random(7).random,
        )

    def killed(self, effects: int, act: Callable[["Pipeline"], object]) -> bool:
        """Act as another process on the same platform, which is killed before the effect after so many.

        False where it was done by then, and lived.
        """
        life = Life(effects)
        twin = copy.copy(self)
        twin._build(mortal(self.platform, life))
        try:
            act(twin)
        except Killed:
            pass
        finally:
            twin.reading.close()
        return life.is_over

    def submit(self, data: bytes, **submission: object) -> JobId:
        asked = Submission(tenant="default", **submission)  # type: ignore[arg-type]  # the test's own fields
        with samples.file(data) as file:
            upload = Upload(file=file, name="document.pdf", sha256=sha256_of(file))
            return submit_upload(asked, upload, platform=self.platform, new_id=new_id).job.id

    def put(self, name: str, data: bytes) -> Dropped:
        """Put an object into an inbox and return the event that says so."""
        assert self.objects.create(name, data)
        return Dropped(name=name, version=self.objects.version(name), size=len(data))

    def drop(self, event: Dropped) -> None:
        drop(event, self.dropping)

    def handle(self, message: Message) -> None:
        match message:
            case PrepareDocument():
                prepare(message, self.preparing)
            case ReadRange():
                read_range(message, self.reading)
            case RoundEnded():
                deliver(message, self.delivering)

    def drain(
        self,
        *,
        lost: Lost | None = None,
        times: int = 1,
        topics: Sequence[Topic] = tuple(Topic),
        looks: int = 2,
    ) -> None:
        """Handle every message that is visible now, each `times` times, but those that `lost` says the bus lost.

        A busy emulator may say that there is nothing just before there is: so it ends after so many looks in vain.
        """
        while deliveries := next(filter(None, (self._pulled(topics) for _ in range(looks))), None):
            for delivery in deliveries:
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

    def _pulled(self, topics: Sequence[Topic]) -> list[Delivery]:
        """From all topics at once: an emulator takes its time to say that there is nothing."""
        with ThreadPoolExecutor(len(topics)) as threads:
            found = threads.map(lambda topic: self.bus.pull(topic, limit=10, wait=0), topics)
            return [delivery for deliveries in found for delivery in deliveries]

    def sweep(self) -> None:
        sweep(self.platform)
        sweep_batches(self.dropping)

    def heal(
        self,
        *,
        lost: Lost | None = None,
        hours: float = 30,
        step: timedelta = timedelta(minutes=5),
        done: Callable[[], bool] = lambda: False,
    ) -> None:
        """Let time pass, with a sweep at each step and whatever it brings, until all is `done`."""
        assert isinstance(self.clock, ManualClock)
        until = self.clock.now() + timedelta(hours=hours)
        while self.clock.now() < until and not done():
            self.clock.advance(step)
            self.sweep()
            self.drain(lost=lost, looks=1)  # what comes too late comes with the next step

    def ended(self, job_id: JobId) -> RoundEnded:
        """What the bus says of the end of the job's round."""
        return RoundEnded(job_id=job_id, round=self.job(job_id).round)

    def job(self, job_id: JobId) -> Job:
        return self.store.get(job_id)

    def progress(self, job_id: JobId) -> Progress:
        return self.store.progress(self.job(job_id))

    def close(self) -> None:
        self.reading.close()
        self.opened.close()


@contextmanager
def pipeline(
    folder: Path,
    clock: Clock,
    sandbox: Sandbox,
    engine: OcrEngine | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    open_family: OpenFamily | None = None,
) -> Iterator[Pipeline]:
    """`settings` are those that the test is about; `open_family` opens other adapters than the embedded ones."""
    opened = Pipeline(folder, clock, sandbox, engine, settings=settings, open_family=open_family)
    try:
        yield opened
    finally:
        opened.close()


@cache
def _authorities() -> ssl.SSLContext:
    """Loading them would be a good part of what many a test takes."""
    return public_authorities()


def _embedded(settings: Settings, clock: Clock) -> Opened:
    family = embedded(settings, base_url="http://127.0.0.1", clock=clock)
    return Opened(platform=family.platform, links=family.files, close=family.close)


def sized_pdf(*widths: int) -> bytes:
    """A PDF whose pages are known by their widths in points, which at the null engine's 72 dpi are pixels."""
    document = pymupdf.open()
    for width in widths:
        document.new_page(width=width, height=200)
    return bytes(document.tobytes())
