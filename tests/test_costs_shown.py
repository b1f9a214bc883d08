"""Costs as callers and operators see them: in a job, at GET /costs, and by `pagemill costs`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from local.cli import cli
from local.costs import table
from tests import samples
from tests.serving import Served, environment, served

PRICES = {"PRICE_PAGE": "0.25", "PRICE_STORED_GB_MONTH": "0"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs") / "data"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Served]:
    """A server that has read three pages."""
    with served(data, PRICES) as running:
        for pages in (["one"], ["two", "three"]):
            running.ended(running.submitted(samples.pdf(pages)))
        yield running


def shown(data: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["costs", *arguments], env=environment(data))
    assert result.exit_code == 0, result.output
    return result.output


def test_a_job_says_its_price_and_the_currency(server: Served) -> None:
    usages = [job["usage"] for job in server.http.get("/jobs").json()["jobs"]]

    assert sorted(usage["estimated_cost"]["amount"] for usage in usages) == [0.25, 0.5]
    assert {usage["estimated_cost"]["currency"] for usage in usages} == {"USD"}
    assert all(usage["source_bytes"] > 0 and usage["stored_bytes"] > 0 for usage in usages)


def test_the_result_says_the_same(server: Served) -> None:
    (job, *_) = server.http.get("/jobs").json()["jobs"]

    assert server.http.get(f"/jobs/{job['job_id']}/result").json()["usage"] == job["usage"]


def test_a_job_without_prices_has_none(tmp_path: Path) -> None:
    with served(tmp_path / "data") as unpriced:
        job = unpriced.ended(unpriced.submitted(samples.pdf(["one"])))

    assert job["usage"]["estimated_cost"] is None
    assert job["usage"]["pages"] == 1


def test_the_api_sums_by_day(server: Served) -> None:
    (day,) = server.http.get("/costs", params={"days": 1}).json()["days"]

    assert (day["tenant"], day["rounds"], day["pages"]) == ("default", 2, 3)
    assert day["estimated_cost"] == {"amount": 0.75, "currency": "USD"}


@pytest.mark.parametrize("days", [0, 367, "many"])
def test_a_number_of_days_that_is_none_is_refused(server: Served, days: object) -> None:
    assert server.http.get("/costs", params={"days": str(days)}).status_code == 422


def test_the_command_sums_what_the_store_holds(server: Served, data: Path) -> None:
    header, day, total = shown(data).splitlines()

    assert header.split()[:4] == ["day", "tenant", "rounds", "pages"]
    assert (day.split()[1:4], day.split()[-1]) == (["default", "2", "3"], "0.7500")
    assert (total.split()[:3], total.split()[-1]) == (["all", "2", "3"], "0.7500")
    assert server.http.get("/health").status_code == 200


def test_the_command_asks_a_server_and_says_it_as_json(server: Served, data: Path) -> None:
    (line,) = shown(data, "--server", str(server.http.base_url), "--json").splitlines()

    assert json.loads(line)["estimated_cost"]["amount"] == 0.75


@pytest.mark.usefixtures("server")
def test_the_command_leaves_out_other_tenants(data: Path) -> None:
    assert shown(data, "--tenant", "nobody", "--json") == ""


def test_a_table_without_prices_has_no_sum_of_money() -> None:
    day = {"day": "2026-03-14", "tenant": "acme", "pages": 1234.0, "estimated_cost": None}

    _, line, total = table([day])

    assert (line.split()[3], line.split()[-1]) == ("1,234", "-")
    assert total.split()[-1] == "-"
