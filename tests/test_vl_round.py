"""Questions that are asked together end together, however many they are."""

import threading
from collections.abc import Iterator

import pytest

from gpu_worker.engines.vl.client import VllmClient
from gpu_worker.engines.vl.room import Room
from gpu_worker.engines.vl.round import Round
from shared.domain.errors import EngineUnavailable
from tests.test_vllm_client import a_client, a_question
from tests.vllm_stub import Stub, stub

MANY = 2000


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as running:
        yield running


def a_round(client: VllmClient) -> Round:
    room = Room(64)
    room.page_came()
    room.laid_out(MANY)
    question = a_question()
    return Round(dict.fromkeys(range(MANY), question), client, room)


def test_a_round_of_thousands_that_is_broken_off_ends_once(server: Stub) -> None:
    server.set(latency=30)
    client, ended = a_client(server, requests=1, seconds=60), threading.Semaphore(0)
    asked = a_round(client)

    asked.ask(ended.release)
    client.close()

    assert ended.acquire(timeout=10)
    assert not ended.acquire(blocking=False)
    assert isinstance(asked.error, EngineUnavailable)
    assert asked.answers == {}


def test_a_round_of_thousands_that_is_away_from_the_start_ends_once(server: Stub) -> None:
    client, ended = a_client(server), threading.Semaphore(0)
    client.close()
    asked = a_round(client)

    asked.ask(ended.release)

    assert ended.acquire(timeout=10)
    assert not ended.acquire(blocking=False)
    assert isinstance(asked.error, EngineUnavailable)
