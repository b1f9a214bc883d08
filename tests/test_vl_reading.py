"""A page whose answers are doubted: asked once more, the better answer stands, and what remains is a flag."""

import threading
from collections.abc import Iterator

import pytest

from gpu_worker.engines.vl.client import VllmClient
from gpu_worker.engines.vl.library import Asked, Cut
from gpu_worker.engines.vl.page import Sheet, questions
from gpu_worker.engines.vl.picture import picture_of
from gpu_worker.engines.vl.reading import Reading
from gpu_worker.engines.vl.room import Room
from shared.domain.errors import PageRefused
from shared.domain.options import Lane, Options
from shared.domain.page import Flag, FlagCode, PageRead
from tests.test_vllm_client import a_client, a_crop
from tests.vllm_answers import REPEATED, TEXTS
from tests.vllm_stub import Stub, stub

OCR, SEAL = "OCR:", "Seal Recognition:"


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as running:
        yield running


@pytest.fixture
def client(server: Stub) -> Iterator[VllmClient]:
    client = a_client(server)
    yield client
    client.close()


def a_cut(prompt: str) -> Cut:
    asked = Asked(picture=picture_of(a_crop()), prompt=prompt, min_pixels=112_896, max_pixels=1_003_520)
    return Cut(label="seal" if prompt == SEAL else "text", box=(0, 0, 200, 60), asked=asked)


def read(client: VllmClient, *prompts: str) -> PageRead:
    """As the engine does: judge whenever a round has ended."""
    sheet = Sheet(cuts=tuple(map(a_cut, prompts)), width=200, height=60, dpi=144, rotation=0, flags=(), seconds=0.0)
    room, ended = Room(64), threading.Semaphore(0)
    room.page_came()
    asked = questions(sheet, Options(seals=True), Lane.BULK, most_tokens=512)
    room.laid_out(len(asked))
    reading = Reading(sheet, asked, client, room)
    reading.begin(ended.release)
    for _ in range(2):
        assert ended.acquire(timeout=20)
        if (page := reading.judge(ended.release)) is not None:
            return page
    raise AssertionError("a third round")


def test_a_page_without_doubts_is_asked_once(server: Stub, client: VllmClient) -> None:
    page = read(client, OCR, SEAL)

    assert [block.content for block in page.blocks] == [TEXTS[OCR], TEXTS[SEAL]]
    assert page.flags == ()
    assert server.stats()["requests"] == 2


@pytest.mark.parametrize("do", ["repeat", "truncate", "empty"])
def test_what_was_wrong_once_is_asked_again_and_leaves_no_flag(server: Stub, client: VllmClient, do: str) -> None:
    server.misbehave({"do": do, "requests": 1, "prompt": OCR})

    page = read(client, OCR, SEAL)

    assert page.blocks[0].content == TEXTS[OCR]
    assert page.flags == ()
    assert page.usage["retried_blocks"] == 1
    assert server.stats()["prompts"] == {OCR: 2, SEAL: 1}


def test_the_second_try_is_not_the_first_one_again(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "repeat"})

    read(client, OCR)

    assert server.last()["temperature"] == 0.3
    assert server.last()["seed"] == 1


def test_an_endless_answer_is_shown_short_and_kept_whole_with_a_flag(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "repeat"})

    page = read(client, OCR)

    (block,) = page.blocks
    (flag,) = page.flags
    assert block.raw.startswith(REPEATED * 100)
    assert block.content == (REPEATED * 2).strip()
    assert (flag.code, flag.block) == (FlagCode.REPETITION, block.id)
    assert int(flag.value) > 100


def test_what_stays_cut_is_a_flag_of_its_block(server: Stub, client: VllmClient) -> None:
    server.set(answers={OCR: " ".join(f"word{number}" for number in range(4000))})

    page = read(client, SEAL, OCR)

    assert [(flag.code, flag.block) for flag in page.flags] == [(FlagCode.TRUNCATED, "b2")]
    assert page.blocks[1].content.startswith("word0 word1 word2")


def test_what_stays_empty_is_a_flag_of_its_block(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "empty", "prompt": OCR})

    page = read(client, SEAL, OCR)

    assert page.flags == (Flag(code=FlagCode.EMPTY_BLOCK, block="b2"),)


def test_a_block_that_is_refused_leaves_its_page_with_a_flag(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "status", "status": 400, "prompt": SEAL})

    page = read(client, OCR, SEAL)

    assert page.blocks[0].content == TEXTS[OCR]
    assert page.flags == (Flag(code=FlagCode.UNREAD_BLOCK, block="b2"),)


def test_a_page_all_of_whose_blocks_are_refused_is_refused(server: Stub, client: VllmClient) -> None:
    server.misbehave({"do": "status", "status": 400, "prompt": SEAL})

    with pytest.raises(PageRefused):
        read(client, SEAL, SEAL)
