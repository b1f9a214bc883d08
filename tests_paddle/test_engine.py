"""The engine on the real library: what becomes of a page, of its parts, and of what goes wrong."""

import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from shared.config import VL_MODELS
from shared.domain.document import page_markdown
from shared.domain.errors import EngineUnavailable, PageRefused
from shared.domain.options import Extra, Lane, Options
from shared.domain.page import Box, Flag, FlagCode, Label, PageRead
from tests_paddle.fabricated_layout import Found, blocks_of, stacked, write_orientation_model
from tests_paddle.pages import HEIGHT, WIDTH, Bench, bench, image, paper

TABLE = "<fcel>Item<fcel>Price<nl><fcel>Paper<fcel>$12.50<nl>"
HTML = "<table><tr><td>Item</td><td>Price</td></tr><tr><td>Paper</td><td>$12.50</td></tr></table>"
UNTURNED = Flag(code=FlagCode.UNSUPPORTED_OPTION, value="orientation")


def submit(opened: Bench, lane: Lane = Lane.BULK) -> Future[PageRead]:
    return opened.engine.submit(image(paper()), Options(orientation=False), lane)


def flags(read: PageRead) -> list[tuple[FlagCode, str | None]]:
    return [(flag.code, flag.block) for flag in read.flags if flag != UNTURNED]


@pytest.mark.parametrize("version", sorted(VL_MODELS))
def test_a_page_becomes_blocks_and_markdown(tmp_path: Path, version: str) -> None:
    blocks = stacked("doc_title", "text", "table", "image", "display_formula", "header")
    with bench(tmp_path, blocks, version=version) as opened:
        opened.vllm.set(answers={"OCR:": r"It costs \(x\), or $5.", "Table Recognition:": TABLE})

        read = opened.read(orientation=False)

    assert [(block.id, block.label, block.content) for block in read.blocks] == [
        ("b1", Label.TITLE, r"It costs \(x\), or $5."),
        ("b2", Label.TEXT, r"It costs \(x\), or $5."),
        ("b3", Label.TABLE, HTML),
        ("b4", Label.FIGURE, ""),
        ("b5", Label.FORMULA, "E = m c^2"),
        ("b6", Label.HEADER, r"It costs \(x\), or $5."),
    ]
    assert [read.blocks[2].raw, read.blocks[4].raw] == [TABLE, r"\[ E = m c^2 \]"]
    assert (read.width, read.height, read.dpi, read.rotation) == (WIDTH, HEIGHT, 144, 0)
    assert read.blocks[0].bbox == Box(x0=119, y0=84, x1=1071, y1=286)
    assert read.flags == ()
    assert page_markdown(read, Options()).startswith("# It costs $x$, or $5.\n\nIt costs $x$, or $5.\n\n<table>")
    assert "$$\nE = m c^2\n$$" in page_markdown(read, Options())
    assert page_markdown(read, Options(include=frozenset({Extra.HEADER}))).count("$5") == 3


def test_what_a_page_cost_is_counted(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("text", "table", "image")) as opened:
        opened.vllm.set(latency=0.1)

        usage = opened.read().usage

    assert usage["requests"] == 2
    assert usage["retried_blocks"] == 0
    assert usage["prompt_tokens"] > 20
    assert usage["completion_tokens"] > 20
    assert usage["request_seconds"] >= 0.2
    assert usage["seconds"] >= usage["layout_seconds"] > 0


def test_confidence_is_the_servers(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("text")) as opened:
        (block,) = opened.read().blocks

    assert block.confidence == pytest.approx(0.951, abs=0.001)


def test_charts_and_seals_are_read_when_asked(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("chart", "seal", "formula_number")) as opened:
        pictures = opened.read().blocks
        read = opened.read(charts=True, seals=True, formula_numbers=True).blocks

    assert [(block.label, block.content) for block in pictures] == [
        (Label.CHART, ""),
        (Label.SEAL, ""),
        (Label.FORMULA_NUMBER, ""),
    ]
    assert [block.content for block in read[:2]] == ["Year | Sales\n2023 | 10\n2024 | 12", "PAGEMILL LTD"]
    assert read[2].content != ""


def test_a_figure_inside_a_table_is_a_block_of_its_own_and_told_where_its_cell_is_lost(tmp_path: Path) -> None:
    table, figure = Found(label="table", y0=0.1, y1=0.6), Found(label="image", x0=0.2, y0=0.2, x1=0.4, y1=0.4)
    with bench(tmp_path, [table, figure]) as opened:
        opened.vllm.set(answers={"Table Recognition:": "<fcel>Logo<fcel>[F2]<nl>"})
        placed = opened.read()
        opened.vllm.set(answers={"Table Recognition:": "<fcel>Logo<fcel>of ours<nl>"})
        lost = opened.read()

    assert [block.label for block in placed.blocks] == [Label.TABLE, Label.FIGURE]
    assert placed.blocks[0].content == "<table><tr><td>Logo</td><td></td></tr></table>"
    assert flags(placed) == []
    assert Flag(code=FlagCode.DROPPED_FIGURE, value="b2", block="b1") in lost.flags
    assert lost.blocks[1].label is Label.FIGURE


def test_a_turned_page_is_read_upright(tmp_path: Path) -> None:
    write_orientation_model(tmp_path / "PP-LCNet_x1_0_doc_ori")
    upright = np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8)
    upright[: HEIGHT // 2, : WIDTH // 2] = 0
    with bench(tmp_path, stacked("text")) as opened:
        read = opened.read(np.ascontiguousarray(np.rot90(upright)))
        left = opened.read(np.ascontiguousarray(np.rot90(upright)), orientation=False)

    assert (read.rotation, read.width, read.height) == (90, WIDTH, HEIGHT)
    assert (left.rotation, left.width, left.height) == (0, HEIGHT, WIDTH)


def test_options_whose_models_are_not_there_are_flagged_and_the_page_is_read(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("text")) as opened:
        read = opened.read(unwarp=True)

    assert [(flag.code, flag.value) for flag in read.flags] == [
        (FlagCode.UNSUPPORTED_OPTION, "orientation"),
        (FlagCode.UNSUPPORTED_OPTION, "unwarp"),
    ]
    assert read.blocks[0].content


def test_a_page_on_which_nothing_is_found_is_blank_or_says_that_it_was_not_read(tmp_path: Path) -> None:
    with bench(tmp_path, []) as opened:
        blank = opened.read(np.full((400, 300, 3), 250, dtype=np.uint8))
        inked = opened.read()

    assert flags(blank) == [(FlagCode.BLANK, None)]
    assert flags(inked) == [(FlagCode.UNREAD_BLOCK, None)]


def test_a_block_that_is_refused_is_a_flag_and_not_its_pages_end(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("text", "table")) as opened:
        opened.vllm.misbehave({"do": "status", "status": 400, "prompt": "Table Recognition:"})

        read = opened.read()

    assert [block.content != "" for block in read.blocks] == [True, False]
    assert flags(read) == [(FlagCode.UNREAD_BLOCK, "b2")]


def test_a_page_whose_every_block_is_refused_fails(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("table", "table")) as opened:
        opened.vllm.misbehave({"do": "status", "status": 400, "prompt": "Table Recognition:"})

        with pytest.raises(PageRefused):
            opened.read()


def test_a_truncated_answer_is_tried_again_and_what_remains_is_told(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("text", "table"), vl_tokens=64) as opened:
        opened.vllm.misbehave({"do": "truncate", "prompt": "OCR:", "requests": 1})
        mended = opened.read()
        opened.vllm.misbehave({"do": "truncate", "prompt": "OCR:"})
        told = opened.read()

    assert flags(mended) == []
    assert mended.usage["retried_blocks"] == 1
    assert mended.usage["requests"] == 3
    assert (FlagCode.TRUNCATED, "b1") in flags(told)
    assert told.blocks[0].content


def test_a_page_that_layout_stumbles_over_fails_and_the_next_is_read(tmp_path: Path) -> None:
    with bench(tmp_path, blocks_of(1)) as opened:
        torn = replace(image(paper()), height=HEIGHT + 1)

        with pytest.raises(PageRefused, match="ValueError"):
            opened.engine.submit(torn, Options(), Lane.BULK).result(timeout=60)
        assert opened.read().blocks[0].content


def test_pages_are_laid_out_by_several_processes_at_once(tmp_path: Path) -> None:
    with bench(tmp_path, stacked("text", "table"), layout_processes=3) as opened:
        opened.vllm.set(answers={"OCR:": "Text.", "Table Recognition:": TABLE})

        reads = [submit(opened).result(timeout=60) for _ in range(2)]
        reads += [read.result(timeout=60) for read in [submit(opened) for _ in range(24)]]

    assert {tuple(block.content for block in read.blocks) for read in reads} == {("Text.", HTML)}


def test_a_server_that_is_away_hands_the_page_back(tmp_path: Path) -> None:
    with bench(tmp_path, blocks_of(3)) as opened:
        opened.engine.check()
        opened.vllm.go_away(30)
        sleep(0.5)  # it answers before it goes

        with pytest.raises(EngineUnavailable):
            opened.engine.check()
        with pytest.raises(EngineUnavailable):
            opened.read()


def test_an_engine_that_closes_hands_back_what_it_has(tmp_path: Path) -> None:
    with bench(tmp_path, blocks_of(2)) as opened:
        opened.vllm.set(latency=30)
        reads = [submit(opened) for _ in range(6)]
        until = monotonic() + 30
        while opened.vllm.stats()["in_flight"] == 0 and monotonic() < until:
            sleep(0.02)

        opened.engine.close()
        late = submit(opened)

        for read in (*reads, late):
            with pytest.raises(EngineUnavailable):
                read.result(timeout=1)


def test_pages_of_many_blocks_fill_it_sooner_than_pages_of_few(tmp_path: Path) -> None:
    with bench(tmp_path, blocks_of(40), vl_requests=16) as opened:
        opened.vllm.set(latency=0.5)
        assert opened.engine.has_room(Lane.BULK)
        woken = threading.Event()
        opened.engine.on_room(woken.set)

        read = submit(opened)
        until = monotonic() + 30
        while opened.vllm.stats()["requests"] == 0 and monotonic() < until:
            sleep(0.02)

        assert not opened.engine.has_room(Lane.BULK)
        read.result(timeout=60)
        assert woken.wait(5)
        assert opened.engine.has_room(Lane.BULK)


def test_an_express_page_is_laid_out_before_those_of_bulk(tmp_path: Path) -> None:
    with bench(tmp_path, blocks_of(1)) as opened:
        order: list[str] = []
        futures = [(submit(opened), f"bulk {number}") for number in range(6)]
        futures.append((submit(opened, Lane.EXPRESS), "express"))
        for future, name in futures:
            future.add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
        for future, _ in futures:
            future.result(timeout=60)

    assert order.index("express") <= 2


def test_layout_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "layout").mkdir()

    with pytest.raises(EngineUnavailable), bench(tmp_path, blocks_of(1)):
        pass
