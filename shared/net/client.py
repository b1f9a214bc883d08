"""The HTTP client behind the command line: talks to the pagemill server that its operator names, so without a guard."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias, TypedDict, Unpack
from urllib.parse import quote

import httpx

from shared.domain.secret import Secret

Json: TypeAlias = dict[str, object]

_CONNECT_SECONDS = 10.0


class ServerRefused(Exception):
    """The server answered, and not with what was asked for. `code` is pagemill's own where the answer was."""

    def __init__(self, code: str, detail: str, status: int) -> None:
        super().__init__(f"{detail} ({code}, HTTP {status})")
        self.code = code
        self.detail = detail
        self.status = status


class ServerUnreachable(Exception):
    """No answer: refused, timed out, cut off, or not HTTP."""


class SubmitFields(TypedDict, total=False):
    """What may go along with a document; None counts as absent."""

    options: Mapping[str, object] | None
    pages: str | None
    priority: str | None
    callback_url: str | None
    password: str | None
    idempotency_key: str | None


class PagemillClient:
    """Every method raises ServerRefused and ServerUnreachable. Nothing is tried twice, no redirect is followed, and
    proxies, authorities and .netrc of the environment are not used.
    """

    def __init__(self, base_url: str, *, api_key: Secret | None = None, timeout: float = 30.0) -> None:
        """Connects to nothing yet; `timeout` is in seconds, for each silence. Raises ValueError for what is no URL."""
        headers = {"user-agent": "pagemill", "accept": "application/json"}
        if api_key is not None:
            headers["authorization"] = f"Bearer {api_key.reveal()}"
        self._timeout = timeout
        try:
            self._http = httpx.Client(
                base_url=base_url, headers=headers, timeout=self._patience(0.0), trust_env=False, follow_redirects=False
            )
        except httpx.InvalidURL as error:
            raise ValueError(f"{base_url!r} is no URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit_url(self, url: str, **fields: Unpack[SubmitFields]) -> Json:
        return self._ask(self._http.build_request("POST", "/infer", json={"pdf_url": url} | _present(fields)))

    def submit_file(self, path: Path, **fields: Unpack[SubmitFields]) -> Json:
        """Upload one file, streamed. Raises OSError where it cannot be read."""
        form = _present(fields)
        if "options" in form:
            form["options"] = json.dumps(form["options"])
        with path.open("rb") as file:
            files = {"file": (path.name, file)}
            return self._ask(self._http.build_request("POST", "/infer", data=form, files=files))

    def status(self, job_id: str, wait: float | None = None) -> Json:
        """The job as it stands; with `wait`, the server may take so many seconds for the status to change."""
        params = {} if wait is None else {"wait": f"{wait:g}"}
        patience = self._patience(wait or 0.0)
        return self._ask(self._http.build_request("GET", _job(job_id), params=params, timeout=patience))

    def result(self, job_id: str) -> Json:
        """The result, or what stands in its place while there is none: see its `status`."""
        return self._ask(self._http.build_request("GET", _job(job_id, "/result")))

    def download(self, job_id: str, suffix: str, target: BinaryIO) -> int:
        """Write `result.{suffix}` (md, json or zip) to `target`, streamed; returns its size in bytes.

        Refused with the code `no_result` where the server answers anything but 200 without an error.
        """
        path = _job(job_id, f"/result.{quote(suffix, safe='')}")
        with _reaching(), self._http.stream("GET", path, headers={"accept": "*/*"}) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _refusal(response, otherwise="no_result")
            return sum(target.write(chunk) for chunk in response.iter_bytes())

    def cancel(self, job_id: str) -> Json:
        return self._ask(self._http.build_request("POST", _job(job_id, "/cancel")))

    def jobs(self, status: str | None = None, limit: int | None = None) -> Json:
        params = {name: str(value) for name, value in _present({"status": status, "limit": limit}).items()}
        return self._ask(self._http.build_request("GET", "/jobs", params=params))

    def costs(self, days: int) -> Json:
        """What the caller's own jobs cost on each of the last days."""
        return self._ask(self._http.build_request("GET", "/costs", params={"days": str(days)}))

    def _ask(self, request: httpx.Request) -> Json:
        with _reaching():
            response = self._http.send(request)
        answer = _json_object(response)
        if not response.is_success or answer is None:
            raise _refusal(response, otherwise="not_pagemill")
        return answer

    def _patience(self, extra: float) -> httpx.Timeout:
        return httpx.Timeout(self._timeout + extra, connect=min(_CONNECT_SECONDS, self._timeout))


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except httpx.RequestError as error:
        raise ServerUnreachable(f"{type(error).__name__}: {error}") from error


def _job(job_id: str, rest: str = "") -> str:
    return f"/jobs/{quote(job_id, safe='')}{rest}"


def _present(fields: Mapping[str, object]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _json_object(response: httpx.Response) -> Json | None:
    try:
        body: object = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal(response: httpx.Response, *, otherwise: str) -> ServerRefused:
    """The problem details (RFC 9457) of an answer; `otherwise` is the code of one that holds none."""
    problem = _json_object(response) or {}
    code = problem.get("code", otherwise)
    detail = problem.get("detail") or problem.get("title") or response.reason_phrase or "no reason given"
    return ServerRefused(str(code), str(detail), response.status_code)
