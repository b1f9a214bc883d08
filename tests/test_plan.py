"""`pagemill plan`: from pages a day to GPUs and money, with every assumption stated and open to be changed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from local.cli import cli
from local.plan.chart import bucketed, chart, hours
from local.plan.outcome import least_gpus, plan
from local.plan.scenario import CURVES, DAY, GPUS, HOUR, Scenario
from shared.domain.costs import Prices

ROOT = Path(__file__).parent.parent
SMALL = Scenario(pages_a_day=20_000)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["plan", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def figures(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(shown(*arguments, "--json")))


def test_with_a_day_s_time_the_pages_of_a_day_are_all_that_counts() -> None:
    assert least_gpus(replace(SMALL, pages_a_day=round(0.4 * DAY * 3), curve=CURVES["flat"])) == 3


def test_with_less_time_the_peak_counts() -> None:
    hurried = replace(SMALL, pages_a_day=100_000, deadline=1800.0)

    assert least_gpus(hurried) >= 2 * least_gpus(replace(hurried, deadline=24 * HOUR))
    assert plan(hurried).late == 0


def test_too_few_gpus_leave_documents_late_and_say_so() -> None:
    outcome = plan(replace(SMALL, pages_a_day=100_000, deadline=HOUR, max_gpus=1))

    assert outcome.max_gpus == 1 < outcome.least_gpus
    assert 0 < outcome.late <= outcome.documents


def test_money_is_gpu_hours_and_what_the_pages_ask_of_the_services() -> None:
    prices = Prices(function_hour=3.6, page=0.001, stored_gb_month=0.5)
    scenario = replace(SMALL, gpu=replace(GPUS["l4"], hour=2.0), prices=prices, prepare=1.0)

    outcome = plan(scenario)

    assert outcome.cost.gpus == pytest.approx(outcome.gpu_hours * 2.0 * 30)
    assert outcome.cost.functions == pytest.approx(outcome.documents * 0.001 * 30)
    assert outcome.cost.requests == pytest.approx(20_000 * 0.001 * 30)
    assert outcome.cost.storage == pytest.approx(20_000 * 400_000 * 7 / 1e9 * 0.5)


def test_a_gpu_whose_price_nobody_knows_has_none() -> None:
    assert figures("--pages", "1000", "--gpu", "a100")["cost"]["total"] is None
    assert figures("--pages", "1000", "--gpu", "a100", "--gpu-hour", "4")["cost"]["total"] > 0


def test_the_layout_model_on_the_cpu_may_be_the_limit() -> None:
    slow = shown("--pages", "5000", "--layout", "5", "--layout-processes", "1")

    assert "0.2 pages/s a worker, of which the layout model on the CPU is the limit" in slow


def test_what_a_worker_has_by_default_is_what_terraform_gives_it_beside_an_l4() -> None:
    machines = json.loads((ROOT / "terraform" / "machines.json").read_text())
    given = machines["sizes"]["nvidia-l4"]

    assert given["layout_processes"] == SMALL.layout_processes
    assert given["requests"] == SMALL.requests


def test_a_gpu_that_has_more_to_do_than_it_can_reads_all_of_the_time() -> None:
    outcome = plan(replace(SMALL, pages_a_day=60_000, min_gpus=1, max_gpus=1))

    assert [outcome.gpu_hours, outcome.busy_share] == [pytest.approx(24.0), 1.0]


def test_twice_the_blocks_are_half_the_rate() -> None:
    assert replace(SMALL, blocks=16.0).worker_rate == SMALL.worker_rate / 2


def test_the_rate_is_taken_from_a_benchmark_s_file(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(
        '== bench.vl\n{"name": "busy", "value": 0.9, "unit": "of the time"}\n{"value": 90, "unit": "pages/min"}\n'
    )

    assert "1.5 pages/s a worker, of which the GPU is the limit (as given)" in shown(
        "--pages", "1000", "--rate-from", str(file)
    )


@pytest.mark.parametrize("content", ["", "{}", '{"value": 3, "unit": "s"}', "{"])
def test_a_file_without_a_rate_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(content)

    result = CliRunner().invoke(cli, ["plan", "--pages", "1000", "--rate-from", str(file)])

    assert result.exit_code == 2


@pytest.mark.parametrize("mix", ["", "1", "0:5", "1:0", "a:b", "1:inf"])
def test_a_mix_that_is_none_is_refused(mix: str) -> None:
    assert CliRunner().invoke(cli, ["plan", "--pages", "10", "--documents", mix]).exit_code == 2


def test_the_text_states_what_was_assumed_and_draws_the_day() -> None:
    text = shown("--pages", "20000", "--documents", "4:1")

    assert "20,000 pages a day in documents of 4.0 pages" in text
    assert "assumption" in text
    assert "USD an hour for GPUs" in text
    assert "a GPU starts in 180 s" in text
    assert "█" in text


def test_the_json_has_every_figure_and_no_infinity() -> None:
    result = shown("--pages", "60000", "--max-gpus", "1", "--json")

    found = json.loads(result, parse_constant=pytest.fail)
    assert {"gpu_hours", "late", "waits", "cost", "cold_starts", "busy_share"} <= set(found)


def test_a_chart_is_as_high_as_its_highest_and_shows_what_is_not_nothing() -> None:
    title, top, bottom, axis = chart("t", [0.0, 0.001, 4.0, 2.0], height=2)

    assert title == "t"
    assert top.endswith("4 │  █ ")
    assert bottom.endswith("0 │ ▁██")
    assert axis.endswith("└────")


def test_an_empty_chart_is_drawn() -> None:
    assert [line.strip() for line in chart("t", [0.0, 0.0], height=1)] == ["t", "0 │", "└──"]


def test_columns_hold_the_mean_of_their_part_of_the_span() -> None:
    assert bucketed([(0.0, 2.0), (1.0, 4.0), (9.9, 5.0), (10.0, 7.0)], 2, 10.0) == [3.0, 6.0]


def test_hours_stand_below_their_columns() -> None:
    assert hours(24).split() == ["0", "4", "8", "12", "16", "20", "24", "h"]
