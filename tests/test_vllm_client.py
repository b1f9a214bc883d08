"""Our client to vLLM, on a stub that answers as it should: what it is sent, in which order, and how many at once."""

import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import cv2
import numpy as np
import pytest

from gpu_worker.engines.vl.client import VllmClient, VllmSettings
from gpu_worker.engines.vl.picture import Pixels, picture_of
from gpu_worker.engines.vl.question import Answer, Question
from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane
from tests.vllm_answers import MODEL, TEXTS
from tests.vllm_stub import Stub, stub


def a_crop(width: int = 200, height: int = 60) -> Pixels:
    crop = np.full((height, width, 3), 255, np.uint8)
    cv2.putText(crop, "pagemill", (10, height - 20), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    return crop


def a_question(prompt: str = "OCR:", *, lane: Lane = Lane.BULK, **sampling: object) -> Question:
    return Question(
        picture=picture_of(a_crop()),
        prompt=prompt,
        lane=lane,
        min_pixels=112_896,
        max_pixels=1_003_520,
        most_tokens=4096,
        sampling=tuple(sampling.items()),
    )


def a_client(server: Stub, **settings: object) -> VllmClient:
    return VllmClient(VllmSettings(**({"url": server.url, "model": MODEL, "seconds": 10.0} | settings)))  # type: ignore[arg-type]


def the_picture(url: str) -> Pixels:
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as running:
        yield running


@pytest.fixture
def client(server: Stub) -> Iterator[VllmClient]:
    client = a_client(server)
    yield client
    client.close()


@pytest.mark.parametrize("prompt", sorted(TEXTS))
def test_a_question_is_answered_with_its_text_its_tokens_and_their_probability(client: VllmClient, prompt: str) -> None:
    answer = client.ask(a_question(prompt)).result(10)

    assert answer.text == TEXTS[prompt]
    assert not answer.was_cut
    assert answer.confidence == pytest.approx(0.951, abs=0.001)
    assert answer.prompt_tokens > 0
    assert answer.completion_tokens > 0
    assert 0 < answer.seconds < 10


def test_vllm_is_sent_what_the_library_would_send(client: VllmClient, server: Stub) -> None:
    question = a_question("Table Recognition:", repetition_penalty=1.1)

    client.ask(question).result(10)

    sent = server.last()
    picture, text = sent["messages"][0]["content"]
    seen = the_picture(picture["image_url"]["url"])
    assert (picture["type"], text) == ("image_url", {"type": "text", "text": "Table Recognition:"})
    assert np.abs(seen.astype(int) - a_crop()).mean() < 2
    assert sent["model"] == MODEL
    assert sent["temperature"] == 0
    assert sent["max_completion_tokens"] == 4096
    assert sent["mm_processor_kwargs"] == {"min_pixels": 112_896, "max_pixels": 1_003_520}
    assert sent["repetition_penalty"] == 1.1
    assert "priority" not in sent


def test_a_slice_of_a_page_is_sent_as_it_is(client: VllmClient, server: Stub) -> None:
    page = np.zeros((400, 400, 3), np.uint8)
    page[100:200, 50:350] = (255, 0, 0)
    question = Question(
        picture=picture_of(page[100:200, 50:350]),
        prompt="OCR:",
        lane=Lane.BULK,
        min_pixels=1,
        max_pixels=10**6,
        most_tokens=64,
    )

    client.ask(question).result(10)

    seen = the_picture(server.last()["messages"][0]["content"][0]["image_url"]["url"])
    assert seen.shape == (100, 300, 3)
    assert (np.abs(seen.astype(int) - (255, 0, 0)) < 5).all()


@pytest.mark.parametrize("path", ["", "/v1"])
def test_the_address_may_be_the_root_or_its_v1(server: Stub, path: str) -> None:
    client = a_client(server, url=server.url + path)

    client.check()
    text = client.ask(a_question()).result(10).text
    client.close()

    assert text == TEXTS["OCR:"]


def test_no_proxy_of_the_environment_is_used(server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = a_client(server)

    client.check()
    text = client.ask(a_question()).result(10).text
    client.close()

    assert text == TEXTS["OCR:"]


def test_as_many_are_in_flight_as_the_settings_say_over_connections_that_are_kept(server: Stub) -> None:
    server.set(latency=0.05)
    client = a_client(server, requests=5)

    answers = [client.ask(a_question()) for _ in range(40)]
    for answer in answers:
        answer.result(10)
    stats = server.stats()
    client.close()

    assert stats["in_flight_max"] == 5
    assert stats["connections"] == 5
    assert server.stats()["connections"] == 0


def test_express_goes_first_and_bulk_has_its_turn_after_four(server: Stub) -> None:
    server.set(latency=0.02)
    client = a_client(server, requests=1)
    order: list[Lane] = []
    lock = threading.Lock()

    def noted(lane: Lane) -> Future[Answer]:
        def note(_: Future[Answer]) -> None:
            with lock:
                order.append(lane)

        future = client.ask(a_question(lane=lane))
        future.add_done_callback(note)
        return future

    first = noted(Lane.BULK)
    rest = [noted(Lane.BULK) for _ in range(3)] + [noted(Lane.EXPRESS) for _ in range(9)]
    for future in (first, *rest):
        future.result(10)
    client.close()

    assert order[0] is Lane.BULK
    assert "".join(lane[0] for lane in order[1:]) == "eeeebeeeebeb"


def test_a_lane_is_a_priority_where_vllm_knows_priorities(server: Stub) -> None:
    server.set(priority=True)
    client = a_client(server, priority=True)

    client.ask(a_question(lane=Lane.BULK)).result(10)
    bulk = server.last()["priority"]
    client.ask(a_question(lane=Lane.EXPRESS)).result(10)
    express = server.last()["priority"]
    client.close()

    assert express < bulk


def test_a_priority_that_vllm_does_not_know_is_no_blocks_fault(server: Stub) -> None:
    client = a_client(server, priority=True)

    with pytest.raises(EngineUnavailable, match="Priority scheduling is not enabled"):
        client.ask(a_question(lane=Lane.BULK)).result(10)

    client.close()


def test_check_names_the_model_that_is_served_instead(server: Stub) -> None:
    client = a_client(server, model="PaddleOCR-VL-0.9B")

    with pytest.raises(EngineUnavailable, match=f"serves {MODEL}, not PaddleOCR-VL-0.9B"):
        client.check()
    with pytest.raises(EngineUnavailable):
        client.ask(a_question()).result(10)

    client.close()


def test_a_question_that_is_cancelled_before_its_turn_is_not_asked(server: Stub) -> None:
    server.set(latency=0.1)
    client = a_client(server, requests=1)

    first, second = client.ask(a_question()), client.ask(a_question("Seal Recognition:"))
    assert second.cancel()
    first.result(10)
    client.close()

    assert "Seal Recognition:" not in server.stats()["prompts"]


def test_closing_breaks_off_what_is_in_flight_and_leaves_neither_thread_nor_connection(server: Stub) -> None:
    server.set(latency=30)
    before = set(threading.enumerate())
    client = a_client(server, requests=8, seconds=60.0)
    futures = [client.ask(a_question()) for _ in range(20)]
    while server.stats()["in_flight"] < 8:
        time.sleep(0.01)
    began = time.monotonic()

    client.close()
    client.close()

    assert time.monotonic() - began < 2
    for future in futures:
        with pytest.raises(EngineUnavailable):
            future.result(0)
    with pytest.raises(EngineUnavailable):
        client.ask(a_question()).result(0)
    assert set(threading.enumerate()) <= before
    while server.stats()["connections"]:
        time.sleep(0.01)
