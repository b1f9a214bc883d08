"""What a platform is told of a running worker: that it works, why it does not, and when it should be started again."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gpu_worker.engines import longest_page
from gpu_worker.probes import Probes
from shared.adapters.embedded.clock import SystemClock
from shared.config import Settings
from shared.domain.options import Lane
from shared.pdf.sandbox import Sandbox
from tests.engines import HeldEngine
from tests.pipeline import Pipeline, pipeline
from tests.serving import until
from tests.working import submit, working


@pytest.fixture
def pipe(tmp_path: Path, sandbox: Sandbox) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "data", SystemClock(), sandbox) as opened:
        yield opened


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine(capacity=4)


@pytest.fixture
def http(pipe: Pipeline, sandbox: Sandbox, engine: HeldEngine) -> Iterator[httpx.Client]:
    with (
        working(pipe, sandbox, engine) as worker,
        Probes("127.0.0.1", 0, worker, pipe.platform.metrics, stuck_seconds=0.5) as probes,
        httpx.Client(base_url=f"http://127.0.0.1:{probes.port}", trust_env=False) as client,
    ):
        yield client


def test_a_worker_that_pulls_says_so(http: httpx.Client) -> None:
    until(lambda: bool(http.get("/healthz").json()["pulling"]))

    answer = http.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "engine": "null",
        "pulling": True,
        "why_not": "",
        "ranges_in_hand": 0,
        "pages_in_hand": 0,
        "oldest_page_seconds": 0.0,
    }


def test_a_worker_whose_engine_is_away_is_alive_and_says_why_it_pulls_nothing(
    http: httpx.Client, engine: HeldEngine
) -> None:
    engine.trouble = "vLLM serves another model"

    until(lambda: http.get("/healthz").json()["why_not"] == "vLLM serves another model")

    assert http.get("/healthz").status_code == 200
    assert "pagemill_engine_ready 0.0" in http.get("/metrics").text


def test_a_worker_whose_pages_never_end_is_stuck_until_one_does(
    pipe: Pipeline, http: httpx.Client, engine: HeldEngine
) -> None:
    submit(pipe, [200, 210], lane=Lane.EXPRESS)
    engine.wait_for(2)
    assert "pagemill_pages_in_hand 2.0" in http.get("/metrics").text

    until(lambda: http.get("/healthz").status_code == 503)

    assert http.get("/healthz").json()["status"] == "stuck"
    assert http.get("/healthz").json()["pages_in_hand"] == 2
    engine.end_all()
    until(lambda: http.get("/healthz").status_code == 200)


def test_one_page_that_hangs_is_seen_among_others_that_end(
    pipe: Pipeline, http: httpx.Client, engine: HeldEngine
) -> None:
    submit(pipe, [200], lane=Lane.EXPRESS)
    engine.wait_for(1)
    (hung,) = engine.in_hand

    def is_stuck_though_others_end() -> bool:
        submit(pipe, [210], lane=Lane.EXPRESS)
        engine.wait_for(2)
        for page in engine.in_hand.copy():
            if page is not hung:
                engine.end(page)
        return http.get("/healthz").status_code == 503

    until(is_stuck_though_others_end)

    engine.end_all()
    until(lambda: http.get("/healthz").status_code == 200)


@pytest.mark.parametrize("seconds", [1.0, 120.0, 600.0])
def test_a_page_that_merely_waits_for_vllm_is_not_stuck(seconds: float) -> None:
    """Each of its two rounds asks a question until it hangs twice, and once more; 0010 has why."""
    settings = Settings(engine="paddleocr-vl", vl_server_url="http://127.0.0.1:9", vl_seconds=seconds)

    assert longest_page(settings) > 2 * 3 * seconds + 600
    assert longest_page(settings) < 2 * 3 * seconds + 1200


def test_a_page_of_an_engine_that_asks_nobody_has_its_ten_minutes_and_the_time_to_render_it() -> None:
    assert longest_page(Settings(engine="rapidocr", page_seconds=60)) == 660


def test_nothing_else_is_answered(http: httpx.Client) -> None:
    assert http.get("/").status_code == 404
    assert http.post("/healthz").status_code == 501
