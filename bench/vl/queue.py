"""Documents, prepared and queued as `prepare` does it, for workers that are started beside."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from bench.vl.mixes import Mix, document
from ingest_fn.prepare import Preparing, prepare
from ingest_fn.submit import Submission, Upload, new_id, sha256_of, submit_upload
from shared.config import Settings
from shared.domain.job import Job, JobId
from shared.domain.messages import PrepareDocument
from shared.domain.options import Options
from shared.domain.status import UNFINISHED, Status
from shared.net.guard import Guard
from shared.pdf.sandbox import Sandbox
from shared.wiring import embedded
from tests.serving import environment

_LOOK_SECONDS = 0.01
_END_SECONDS = 1_800.0


class Queue:
    """Jobs on the embedded adapters in `folder`; nobody reads them before `worker`."""

    def __init__(self, folder: Path, sandbox: Sandbox, settings: dict[str, str]) -> None:
        self._folder, self._settings, self._sandbox = folder, settings, sandbox
        self._family = embedded(Settings(data=folder, engine="paddleocr-vl"), base_url="http://127.0.0.1")

    def send(self, data: bytes) -> JobId:
        """Prepare one document; its page ranges are on the bus when this returns."""
        platform, file = self._family.platform, BytesIO(data)
        asked = Submission(tenant="bench", options=Options(cache=False))
        upload = Upload(file=file, name="document.pdf", sha256=sha256_of(file))
        job = submit_upload(asked, upload, platform=platform, new_id=new_id).job
        preparing = Preparing(platform=platform, sandbox=self._sandbox, guard=Guard())
        prepare(PrepareDocument(job_id=job.id), preparing)
        return job.id

    def send_all(self, mix: Mix) -> list[JobId]:
        return [self.send(document(length, number=number)) for number, length in enumerate(mix.lengths)]

    def wait(self, job_ids: list[JobId]) -> None:
        """Return when every job has ended. Raises RuntimeError where one did not finish whole."""
        until = time.monotonic() + _END_SECONDS
        for job_id in job_ids:
            job = self._job(job_id)
            while job.status in UNFINISHED:
                if time.monotonic() > until:
                    raise RuntimeError(f"{job_id} did not end: {job.status}")
                time.sleep(_LOOK_SECONDS)
                job = self._job(job_id)
            if job.status is not Status.FINISHED or job.partial:
                raise RuntimeError(f"{job_id} ended as {job.status}, partial: {job.partial}")

    def is_unfinished(self, job_id: JobId) -> bool:
        return self._job(job_id).status in UNFINISHED

    def done(self, job_id: JobId) -> int:
        """Pages."""
        return self._family.platform.store.progress(self._job(job_id)).done

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[str]]:
        """A worker process that takes pages when this begins."""
        command = [sys.executable, "-m", "bench.vl.worker"]
        variables = environment(self._folder, ENGINE="paddleocr-vl", LOG_LEVEL="WARNING")
        process = subprocess.Popen(command, env=variables | self._settings, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"the worker ended with {process.wait()}")
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()

    def close(self) -> None:
        self._family.close()

    def _job(self, job_id: JobId) -> Job:
        return self._family.platform.store.get(job_id)
