"""Clients that cost little, since they share the cores with what is measured: raw HTTP on a kept connection."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

_PAUSE_SECONDS = 0.5


class Client:
    def __init__(self, base_url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=120)

    def close(self) -> None:
        self._connection.close()

    def submit(self, document: bytes) -> str:
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'.encode()
        body = head + document + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return str(self._asked("POST", "/infer", body, headers)["job_id"])

    def submit_url(self, url: str) -> str:
        body = json.dumps({"pdf_url": url}).encode()
        return str(self._asked("POST", "/infer", body, {"Content-Type": "application/json"})["job_id"])

    def ended(self, job_id: str) -> str:
        """Wait until the job has ended; return its status."""
        while True:
            status = str(self._asked("GET", f"/jobs/{job_id}?wait=30")["status"])
            if status not in {"queued", "running"}:
                return status

    def _asked(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, object]:
        self._connection.request(method, path, body, headers or {})
        answer: dict[str, object] = json.loads(self._connection.getresponse().read())
        return answer


def finished(client: Client, job_id: str) -> None:
    """Wait until the job is seen finished."""
    status = client.ended(job_id)
    if status != "finished":
        raise RuntimeError(f"the job ended as {status}")


def at_once(count: int, seconds: float, work: Callable[[], object]) -> float:
    """Call `work` again and again from `count` threads for so many seconds; return calls a second."""
    until, done = time.perf_counter() + seconds, [0] * count
    problems: list[BaseException] = []

    def run(index: int) -> None:
        try:
            while time.perf_counter() < until:
                work()
                done[index] += 1
        except BaseException as error:
            problems.append(error)
            raise

    started = time.perf_counter()
    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise RuntimeError("a client failed") from problems[0]
    return sum(done) / (time.perf_counter() - started)
