"""The whole of `pagemill serve` on the real library, while its vLLM dies, fails, hangs and raves: no page is lost for
it, and none is failed or flagged that was not at fault.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.vl.mixes import document
from shared.domain.page import FlagCode
from tests.serving import Json, Served, served, until
from tests.vllm_stub import Stub, stub_process
from tests_paddle.fabricated_layout import stacked, write_model, write_orientation_model

pytestmark = pytest.mark.timeout(240)

PAGES = 12
BLOCKS = 3
SECONDS = 5.0
"""Longest wait for one block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    server: Served
    vllm: Stub

    def submitted(self) -> str:
        return self.server.submitted(document(PAGES), options='{"cache": false}')

    def whole(self, job_id: str) -> Json:
        """The job, once it ended with every page read."""
        job = self.server.ended(job_id)
        assert job["status"] == "finished", job
        assert job["pages"] == {"total": PAGES, "done": PAGES, "failed": 0}
        assert not job["partial"]
        return job

    def begun(self, requests: int) -> None:
        until(lambda: self.vllm.stats()["done"] >= requests)


@contextmanager
def _running(folder: Path) -> Iterator[Running]:
    layout = write_model(folder / "layout", stacked("paragraph_title", "text", "text"))
    write_orientation_model(folder / "PP-LCNet_x1_0_doc_ori")
    with stub_process(latency=0.1, slots=8) as vllm:
        settings = {"ENGINE": "paddleocr-vl", "LAYOUT_MODEL": str(layout), "VL_SECONDS": str(SECONDS)}
        with served(folder / "data", settings, others={"VL_SERVER_URL": vllm.url}) as server:
            yield Running(server=server, vllm=vllm)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with _running(tmp_path_factory.mktemp("outages")) as running:
        yield running


@pytest.fixture
def running(started: Running) -> Running:
    """With a vLLM that behaves, and has counted nothing."""
    started.vllm.misbehave()
    started.vllm.reset()
    return started


def test_pages_wait_for_a_vllm_that_dies_and_comes_back(running: Running) -> None:
    job_id = running.submitted()
    running.begun(3)

    running.vllm.go_away(4)

    assert not running.whole(job_id)["flags"]


@pytest.mark.parametrize(
    "misbehaviour",
    [
        pytest.param({"do": "status", "status": 500, "seconds": 5}, id="500"),
        pytest.param({"do": "status", "status": 429, "retry_after": "1", "seconds": 3}, id="429"),
        pytest.param({"do": "hang", "requests": 6}, id="hang"),
        pytest.param({"do": "drop", "requests": 6}, id="drop"),
        pytest.param({"do": "not_json", "requests": 3}, id="garbage"),
    ],
)
def test_trouble_that_passes_leaves_no_mark(running: Running, misbehaviour: dict[str, Any]) -> None:
    running.vllm.misbehave(misbehaviour)

    assert not running.whole(running.submitted())["flags"]


@pytest.mark.parametrize(
    ("misbehaviour", "flag"),
    [
        pytest.param({"do": "truncate", "prompt": "OCR:"}, FlagCode.TRUNCATED, id="truncates"),
        pytest.param({"do": "repeat", "prompt": "OCR:"}, FlagCode.REPETITION, id="repeats"),
        pytest.param({"do": "empty", "prompt": "OCR:"}, FlagCode.EMPTY_BLOCK, id="says nothing"),
    ],
)
def test_answers_that_stay_bad_are_flagged_on_every_page(
    running: Running, misbehaviour: dict[str, Any], flag: FlagCode
) -> None:
    running.vllm.misbehave(misbehaviour)

    job = running.whole(running.submitted())

    assert job["flags"][flag] == list(range(1, PAGES + 1))


def test_a_block_that_is_refused_for_good_is_flagged_and_costs_its_page_nothing_else(running: Running) -> None:
    running.vllm.misbehave({"do": "status", "status": 400, "requests": 1})

    job = running.whole(running.submitted())

    assert [len(pages) for pages in job["flags"].values()] == [1]
    assert list(job["flags"]) == [FlagCode.UNREAD_BLOCK]
