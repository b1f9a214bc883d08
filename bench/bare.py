"""What a job on one machine needs, by its parts alone: FastAPI, synced files, SQLite, the sandbox, a JPEG of the page.

    python -m bench.bare FOLDER

serves what `bench.clients` asks for, and prints its address. What the pipeline has on disk before it goes on is put
there too, by as many syncs and in the same order. Nothing else is done: no message, no claim, no check, no look at
whether the job still counts, and one question a job instead of one a status.
"""

import asyncio
import os
import socket
import sqlite3
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from gpu_worker.pictures import as_read, shown
from shared.config import ENGINES
from shared.pdf.sandbox import Sandbox

_RECORD = "x" * 1_500
"""About the size of a job's own."""


class Parts:
    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._folder, self._sandbox = folder, sandbox
        self._lock = threading.Lock()
        self._records = sqlite3.connect(folder / "bare.sqlite", check_same_thread=False, isolation_level=None)
        self._records.execute("PRAGMA journal_mode = WAL")
        self._records.execute("CREATE TABLE records (id TEXT PRIMARY KEY, body TEXT)")

    def accept(self, document: bytes) -> str:
        job = uuid.uuid4().hex
        self._write(f"{job}.upload", document)
        self._commit(job)
        return job

    def finish(self, job: str) -> None:
        self._commit(job, durable=False)  # a try of preparing it
        source = self._folder / f"{job}.source"
        source.hardlink_to(self._folder / f"{job}.upload")
        self._commit(job, durable=False)  # its plan
        with self._sandbox.open(source) as document, document.render(1, dpi=ENGINES["null"].dpi) as page:
            self._commit(job)  # a try of the page
            with as_read(page.image, 0) as pixels:
                self._write(f"{job}.jpg", shown(pixels))
        self._write(f"{job}.page", b"x" * 500)
        self._commit(job, durable=False)  # the page
        for name in ("md", "json"):
            self._write(f"{job}.{name}", b"x" * 500)
        self._commit(job)  # the end

    def _write(self, name: str, data: bytes) -> None:
        with (self._folder / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _commit(self, job: str, *, durable: bool = True) -> None:
        with self._lock:
            self._records.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._records.execute("INSERT OR REPLACE INTO records VALUES (?, ?)", (job, _RECORD))


def bare(parts: Parts, threads: ThreadPoolExecutor) -> FastAPI:
    app, ends = FastAPI(), dict[str, asyncio.Future[None]]()

    @app.post("/infer", status_code=202)
    async def infer(request: Request) -> dict[str, str]:
        async with request.form() as form:
            upload = form["file"]
            assert isinstance(upload, UploadFile)
            job = await run_in_threadpool(lambda: parts.accept(upload.file.read()))
        ends[job] = asyncio.get_running_loop().run_in_executor(threads, parts.finish, job)
        return {"job_id": job}

    @app.get("/jobs/{job}")
    async def ended(job: str) -> dict[str, str]:
        await ends.pop(job)
        return {"status": "finished"}

    return app


def serve(folder: Path) -> None:
    with Sandbox() as sandbox, ThreadPoolExecutor((os.cpu_count() or 1) + 1) as threads:
        sandbox.start()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            config = uvicorn.Config(bare(Parts(folder, sandbox), threads), log_config=None, access_log=False)
            uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
