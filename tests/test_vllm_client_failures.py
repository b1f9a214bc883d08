"""Our client to vLLM where vLLM goes wrong: what is tried again, whose fault it is, and how it gets well again."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu_worker.engines.vl.client import VllmClient
from gpu_worker.engines.vl.picture import picture_of
from gpu_worker.engines.vl.question import Answer, BlockRefused
from shared.domain.errors import EngineDied, EngineUnavailable
from tests.servers import closed_port
from tests.test_vllm_client import a_client, a_question
from tests.vllm_answers import REPEATED, TEXTS
from tests.vllm_stub import Stub, stub

pytestmark = pytest.mark.long

SEAL = "Seal Recognition:"
GARBAGE = ("not_json", "wrong_shape", "no_choices")


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as running:
        yield running


@pytest.fixture
def client(server: Stub) -> Iterator[VllmClient]:
    client = a_client(server, requests=8, seconds=0.5)
    yield client
    client.close()


def ends(futures: list[Future[Answer]], seconds: float = 20) -> Counter[str]:
    """How each ended: "answered", or the name of its error."""
    until = time.monotonic() + seconds
    errors = [future.exception(until - time.monotonic()) for future in futures]
    return Counter("answered" if error is None else type(error).__name__ for error in errors)


def well_again(client: VllmClient, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            client.check()
        except EngineUnavailable:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("do", ["status", "drop", "hang", "drip", *GARBAGE])
def test_what_fails_once_is_tried_again(server: Stub, client: VllmClient, do: str) -> None:
    server.misbehave({"do": do, "requests": 1})

    assert client.ask(a_question()).result(10).text == TEXTS["OCR:"]
    assert server.stats()["requests"] == 2


@pytest.mark.parametrize("do", ["status", "drop", "hang", "no_choices"])
def test_a_block_that_always_fails_is_refused_and_the_others_are_answered(
    server: Stub, client: VllmClient, do: str
) -> None:
    server.set(latency=0.15)  # a kept connection that breaks later than at once did have the question
    server.misbehave({"do": do, "prompt": SEAL})

    others = [client.ask(a_question()) for _ in range(20)]
    with pytest.raises(BlockRefused):
        client.ask(a_question(SEAL)).result(20)

    assert ends(others) == {"answered": 20}
    client.check()


def test_a_block_that_vllm_calls_wrong_is_refused_without_another_try(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "status", "status": 400, "prompt": SEAL})

    with pytest.raises(BlockRefused, match="400"):
        client.ask(a_question(SEAL)).result(10)

    assert server.stats()["prompts"][SEAL] == 1


def test_a_crop_without_pixels_is_refused(client: VllmClient) -> None:
    empty = replace(a_question(), picture=picture_of(np.zeros((0, 8, 3), np.uint8)))

    with pytest.raises(BlockRefused):
        client.ask(empty).result(10)


@pytest.mark.parametrize("do", ["status", "drop", "hang", "no_choices"])
def test_where_all_fail_no_block_is_refused_and_what_is_asked_afterwards_is_answered(
    server: Stub, client: VllmClient, do: str
) -> None:
    server.set(latency=0.12)
    server.misbehave({"do": do, "seconds": 3.0})

    during = ends([client.ask(a_question()) for _ in range(30)])
    server.misbehave()
    well_again(client)

    assert set(during) <= {"answered", "EngineUnavailable"}
    assert during["EngineUnavailable"]
    assert ends([client.ask(a_question()) for _ in range(30)]) == {"answered": 30}


def test_while_vllm_is_away_nobody_waits_for_it(server: Stub, client: VllmClient) -> None:
    server.go_away(3.0)
    time.sleep(0.1)
    ends([client.ask(a_question()) for _ in range(8)])

    began = time.monotonic()
    after = ends([client.ask(a_question()) for _ in range(100)])

    assert after == {"EngineUnavailable": 100}
    assert time.monotonic() - began < 0.5
    with pytest.raises(EngineUnavailable):
        client.check()
    well_again(client)
    assert client.ask(a_question()).result(10).text == TEXTS["OCR:"]


def test_a_port_that_nobody_listens_on_is_an_engine_that_is_away() -> None:
    client = a_client(Stub(f"http://127.0.0.1:{closed_port()}"), requests=4)

    with pytest.raises(EngineUnavailable, match="refused"):
        client.check()
    with pytest.raises(EngineUnavailable):
        client.ask(a_question()).result(10)

    client.close()


def test_who_had_a_question_with_a_vllm_that_died_is_told_and_who_had_none_is_not_blamed(
    server: Stub, client: VllmClient
) -> None:
    server.set(latency=0.3)
    waiting = [client.ask(a_question()) for _ in range(7)]
    server.misbehave({"do": "die", "away": 1.0, "requests": 1, "prompt": SEAL})
    killer = client.ask(a_question(SEAL))
    waiting += [client.ask(a_question()) for _ in range(20)]

    ended = ends([killer, *waiting])
    well_again(client)

    assert isinstance(killer.exception(), EngineDied)
    assert ended["BlockRefused"] == 0
    assert 1 <= ended["EngineDied"] <= 8
    assert ended["EngineUnavailable"] >= 12
    assert ends([client.ask(a_question()) for _ in range(20)]) == {"answered": 20}


def test_a_vllm_that_came_back_between_two_questions_is_not_missed(server: Stub, client: VllmClient) -> None:
    client.ask(a_question()).result(10)
    server.go_away(0.05)
    time.sleep(0.3)

    assert client.ask(a_question()).result(10).text == TEXTS["OCR:"]
    assert server.stats()["requests"] == 2


def test_a_server_that_is_busy_is_given_the_time_that_it_asks_for(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "status", "status": 429, "requests": 1, "retry_after": "1"})
    began = time.monotonic()

    client.ask(a_question()).result(10)

    assert 1.0 <= time.monotonic() - began < 2.0


def test_a_server_that_stays_busy_refuses_no_block(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "status", "status": 429, "prompt": SEAL, "retry_after": "0"})

    with pytest.raises(EngineUnavailable, match="429"):
        client.ask(a_question(SEAL)).result(10)

    client.check()


def test_a_key_that_vllm_wants_is_no_blocks_fault(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "status", "status": 401})

    with pytest.raises(EngineUnavailable, match="401"):
        client.ask(a_question()).result(10)


def test_an_answer_that_was_cut_says_so(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "truncate"})

    assert client.ask(a_question()).result(10).was_cut


def test_what_is_repeated_or_empty_arrives_as_it_was_said(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "repeat", "prompt": "OCR:"}, {"do": "empty", "prompt": SEAL})

    repeated, empty = client.ask(a_question()).result(10), client.ask(a_question(SEAL)).result(10)

    assert repeated.text.startswith(REPEATED * 100)
    assert repeated.was_cut
    assert (empty.text, empty.was_cut, empty.confidence) == ("", False, None)


def test_closing_ends_who_pauses_between_two_tries(server: Stub) -> None:
    before = set(threading.enumerate())
    server.misbehave({"do": "status", "status": 429, "retry_after": "30"})
    client = a_client(server, requests=4)
    futures = [client.ask(a_question()) for _ in range(8)]
    while server.stats()["requests"] < 4:
        time.sleep(0.01)
    began = time.monotonic()

    client.close()

    assert ends(futures) == {"EngineUnavailable": 8}
    assert time.monotonic() - began < 1
    assert set(threading.enumerate()) <= before


def test_through_a_storm_no_block_is_refused_and_all_are_answered_in_the_end(server: Stub, client: VllmClient) -> None:
    """As a worker does, whoever is told that the engine is away asks again."""
    storm = random.Random(4)  # any seed will do; the same one each time tells what changed
    server.set(latency=0.02)
    left, ended = 300, Counter[str]()
    kinds = ["status", "drop", "hang", "drip", *GARBAGE]

    for _ in range(12):
        server.misbehave({"do": storm.choice(kinds), "seconds": 0.3}, {"do": storm.choice(kinds), "requests": 3})
        if storm.random() < 0.25:
            server.go_away(0.4)
        futures = [client.ask(a_question()) for _ in range(min(left, 40))]
        round_ = ends(futures)
        left -= round_["answered"]
        ended += round_
        time.sleep(0.05)
    server.misbehave()
    well_again(client)
    ended += ends([client.ask(a_question()) for _ in range(left)])

    assert ended["answered"] == 300
    assert set(ended) <= {"answered", "EngineUnavailable", "EngineDied"}


@pytest.mark.parametrize("do", ["overflow", "abort"])
def test_an_answer_that_cannot_be_is_asked_for_again(server: Stub, client: VllmClient, do: str) -> None:
    server.misbehave({"do": do, "requests": 1})

    assert client.ask(a_question()).result(10).text == TEXTS["OCR:"]
    assert server.stats()["requests"] == 2


TOO_DEEP = "[" * 100_000


@pytest.mark.parametrize("wrong", [{"misbehave": [{"do": "overflow"}]}, {"models": TOO_DEEP}])
def test_a_server_that_answers_what_cannot_be_is_found_well_again(
    server: Stub, client: VllmClient, wrong: dict[str, Any]
) -> None:
    server.set(**({"misbehave": [{"do": "status"}]} | wrong))
    assert ends([client.ask(a_question()) for _ in range(20)]) == {"EngineUnavailable": 20}

    server.set(misbehave=[], models=None)
    well_again(client)

    assert client.ask(a_question()).result(10).text == TEXTS["OCR:"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_question_that_cannot_even_be_asked_ends_and_the_next_is_answered(server: Stub) -> None:
    client = a_client(server, requests=1)
    impossible = client.ask(a_question(seed=object()))
    senders = [thread for thread in threading.enumerate() if thread.name.startswith("vllm-")]
    possible = [client.ask(a_question()) for _ in range(3)]

    assert ends([impossible, *possible], 10) == {"BlockRefused": 1, "answered": 3}
    client.close()
    for sender in senders:
        sender.join(10)  # the one that died tells why only then, and must not do so in another test
