"""Terraform and the code name the same things: what one has and the other doesn't is a mistake in one of them."""

import ast
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import main
from gpu_worker import busy, commit
from ingest_fn import entry
from notifier import entry as notifier_entry
from shared import push
from shared.adapters.google import indexes, provision
from shared.adapters.google.bus import LEASE
from shared.adapters.google.names import Names
from shared.callers import verifier
from shared.config import PREFIX, Settings, read_settings
from shared.domain.costs import LIST_PRICES
from shared.domain.messages import PAGES, Topic
from shared.logs import JsonFormatter
from tests import terraform_files as terraform

ROOT = Path(__file__).parents[1]
PIPELINE = terraform.pipeline()
MACHINES = terraform.machines()
KEY = "A" * 43 + "="
SECRETS = {"sealing-key": KEY, "callback-secret": "whsec_" + KEY}
IDENTITIES = {"notifier": "notify"}
"""Decision 0008 names the component, Terraform its function."""


def test_every_topic_exists_on_both_sides() -> None:
    assert set(PIPELINE["topics"]) == {topic.value for topic in Topic}


def test_what_is_pulled_is_what_the_worker_pulls_and_the_rest_is_pushed_to_a_function() -> None:
    pulled = {name for name, topic in PIPELINE["topics"].items() if topic["pushed_to"] is None}
    pushed = {name: topic["pushed_to"] for name, topic in PIPELINE["topics"].items() if name not in pulled}

    assert pulled == {topic.value for topic in PAGES.values()}
    assert pushed == push_ends()


def push_ends() -> dict[str, str]:
    """By topic, which entry point takes its pushes: whoever calls `push_end(platform, Topic.…)`."""
    found = {}
    for module in (entry, notifier_entry):
        source = Path(str(module.__file__)).read_text()
        builders = {build: target for target, build in re.findall(r'AtStart\("(\w+)", (\w+)\)', source)}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and (
                topic := re.search(r"push_end\(\w+, Topic\.(\w+)", ast.unparse(node))
            ):
                found[Topic[topic[1]].value] = builders[node.name]
    return found


def test_names_are_put_together_alike() -> None:
    names, prefix = Names("demo", "mill"), "${var.name}-"
    topics, subscriptions = terraform.text("pubsub.tf"), terraform.text("pubsub.tf")

    assert names.topic(Topic.DOCUMENTS) == "projects/demo/topics/mill-documents"
    assert names.subscription(Topic.DOCUMENTS) == "projects/demo/subscriptions/mill-documents"
    assert f'name     = "{prefix}${{each.value}}"' in topics
    assert f'name     = "{prefix}${{each.key}}"' in subscriptions
    assert names.dead_letters.endswith("/mill-dead-letters")
    assert names.dead_letter_subscription.endswith("/mill-dead-letters")
    assert f'"{prefix}dead-letters"' in subscriptions


def test_messages_are_delivered_as_on_the_emulators() -> None:
    delivery = PIPELINE["delivery"]

    assert delivery["most_deliveries"] == provision.MOST_DELIVERIES
    assert delivery["first_pause_seconds"] == provision.FIRST_PAUSE.total_seconds()
    assert delivery["longest_pause_seconds"] == provision.LONGEST_PAUSE.total_seconds()
    assert delivery["pull_lease_seconds"] == LEASE.total_seconds()
    assert delivery["push_lease_seconds"] == provision.PUSH_LEASE.total_seconds()
    assert delivery["pushes_at_once"] == push._AT_ONCE


def test_every_entry_point_is_a_function_and_every_function_has_one() -> None:
    assert set(PIPELINE["functions"]) == set(main.__all__)
    assert "entry_point     = each.key" in terraform.text("functions.tf")


def test_every_index_exists_on_both_sides() -> None:
    firestore = PIPELINE["firestore"]
    composite = [
        (
            index["collection"],
            [*((name, "ASCENDING") for name in index["ascending"]), (index["descending"], "DESCENDING")],
        )
        for index in firestore["composite"]
    ]

    assert firestore["fields"] == indexes.SINGLE_FIELD_INDEXES
    assert composite == [(index.collection, list(index.fields)) for index in indexes.COMPOSITE_INDEXES]
    assert firestore["ttl_field"] == indexes.TTL_FIELD
    assert tuple(firestore["ttl_collections"]) == indexes.TTL_COLLECTIONS


def test_every_ttl_is_a_field_that_terraform_makes() -> None:
    firestore = PIPELINE["firestore"]

    assert all(firestore["ttl_field"] in firestore["fields"][collection] for collection in firestore["ttl_collections"])


def test_every_environment_variable_is_a_setting() -> None:
    named = set(re.findall(rf"\b({PREFIX}[A-Z_]+|VL_SERVER_URL)\b", terraform.everything()))

    assert named
    assert named <= {variable(field.name, field.metadata) for field in fields(Settings)}


LEFT_AS_THEY_ARE = {
    "data": "embedded",
    "port": "pagemill serve",
    "public_url": "the API takes the address under which it was called",
    "engine_workers": "rapidocr",
    "vl_pipeline": "part of the recipe: the vLLM image's model decides, so it changes with the code",
    "vl_model": "vLLM serves the model under its own name",
    "vl_seconds": "nothing measured asks for another",
    "vl_tokens": "nothing measured asks for another",
    "layout_model": "it lies in the image",
    "model_source": "it lies in the image",
    "fetch_allow": "nobody is let through to private addresses",
    "fetch_seconds": "within a push's lease with its tries",
    "fetch_tries": "as everywhere",
    "callback_allow_http": "callbacks go over TLS",
    "max_list_lines": "as everywhere",
    "max_pixels": "what the sandbox's memory was measured with",
    "page_seconds": "what the sandbox's memory was measured with",
    "price_page": "list price",
    "price_stored_gb_month": "list price",
    "budget_page_seconds": "an assumption of the code's",
    "budget_pages": "an assumption of the code's",
}
"""Settings that Terraform says nothing of, and why: whoever adds a setting decides here or there."""


def test_every_setting_is_set_or_left_as_it_is_for_a_reason() -> None:
    named = set(re.findall(rf"\b({PREFIX}[A-Z_]+|VL_SERVER_URL)\b", terraform.everything()))
    left = {field.name for field in fields(Settings) if variable(field.name, field.metadata) not in named}

    assert left == set(LEFT_AS_THEY_ARE)


def variable(name: str, metadata: Mapping[str, Any]) -> str:
    return metadata.get("variable") or PREFIX + name.upper()


@pytest.mark.parametrize("function", sorted(PIPELINE["functions"]))
def test_a_function_is_told_all_that_it_needs(function: str) -> None:
    """As its own start would see it: settings that can be read, who posts, and what the target says that it needs."""
    settings = read_settings(environment(function))

    missing = [need for need in needs(function) if getattr(settings, need) is None]
    assert missing == []
    assert settings.platform == "google"
    assert settings.bucket
    assert settings.reads_with_vl
    if PIPELINE["functions"][function]["called_by"] != "callers":
        assert verifier(settings) is not None


def needs(function: str) -> tuple[str, ...]:
    source = "".join(Path(str(module.__file__)).read_text() for module in (entry, notifier_entry))
    stated = re.search(
        rf'name="{function}", needs=(\([^)]*\))|_built_dropping\("{function}", needs=(\([^)]*\))', source
    )
    return () if stated is None else tuple(ast.literal_eval(stated[1] or stated[2]))


def test_the_worker_is_told_all_that_it_needs_and_no_secret() -> None:
    settings = read_settings(expanded("environment") | expanded("worker_environment"))

    assert (settings.platform, settings.engine, settings.layout_device) == ("google", "paddleocr-vl", "cpu")
    assert settings.worker_port == 8080
    assert PIPELINE["rights"]["worker"]["secrets"] == []


def test_what_identifies_a_reading_is_the_same_for_those_who_plan_and_those_who_read() -> None:
    planned = read_settings(environment("prepare")).engine_settings

    assert read_settings(expanded("environment") | expanded("worker_environment")).engine_settings == planned


def environment(function: str) -> dict[str, str]:
    secrets = terraform.map_of("environment.tf", "secret_variables")
    held = {secrets[name].strip('"'): SECRETS[name] for name in PIPELINE["rights"][function]["secrets"]}
    called_by = PIPELINE["functions"][function]["called_by"]
    called = {PREFIX + "PUSH_ACCOUNT": "push@demo.example", PREFIX + "PUSH_CHECKED_BY": "cloud-run"}
    audience = {PREFIX + "PUSH_AUDIENCE": "https://mill.example"} if called_by == "push" else {}
    return expanded("environment") | held | ({} if called_by == "callers" else called | audience)


@pytest.mark.parametrize("gpu", sorted(MACHINES["sizes"]))
def test_a_worker_reads_as_much_at_once_as_its_gpu_and_its_cpus_are_for(gpu: str) -> None:
    settings = read_settings(expanded("environment", gpu=gpu) | expanded("worker_environment", gpu=gpu))
    size = MACHINES["sizes"][gpu]

    assert (settings.vl_requests, settings.vl_pages) == (size["requests"], size["pages"])
    assert settings.layout_processes < size["worker_cpu"]
    assert settings.worker_memory_mb == pytest.approx(0.85 * size["worker_gib"] * 2**30 / 1e6, abs=1)


def test_prices_are_those_of_the_machines_that_are_deployed() -> None:
    listed = read_settings(expanded("environment")).prices
    hour = re.findall(r'_HOUR == "([\d.]+)"', (terraform.TERRAFORM / "tests/backends.tftest.hcl").read_text())

    assert listed == LIST_PRICES
    assert [float(price) for price in hour[:2]] == [LIST_PRICES.worker_hour, LIST_PRICES.function_hour]


def price_of_a_worker(gpu: str) -> float:
    size, prices = MACHINES["sizes"][gpu], MACHINES["prices"]["pool"]
    cpus, memory = size["worker_cpu"] + size["vlm_cpu"], size["worker_gib"] + size["vlm_gib"]
    hour = prices["gpu_hour"].get(gpu, 0.0) + cpus * prices["cpu_hour"] + memory * prices["gib_hour"]
    return float(round(hour, 2))


def price_of_a_function() -> float:
    sized = re.search(r'prepare = \{ memory = "(\d+)Gi", cpu = (\d+)', terraform.text("variables.tf"))
    assert sized is not None
    prices = MACHINES["prices"]["function"]
    return float(round(int(sized[2]) * prices["cpu_hour"] + int(sized[1]) * prices["gib_hour"], 6))


def expanded(name: str, *, gpu: str = "nvidia-l4") -> dict[str, str]:
    """A map of environment.tf, its expressions evaluated as Terraform would, by the variables' defaults."""
    size = MACHINES["sizes"][gpu]
    given = {f"var.{key}": default for key, default in defaults().items() if default is not None} | {
        **{f"local.size.{key}": str(value) for key, value in size.items()},
        "local.layout_processes": str(min(size["layout_processes"], size["worker_cpu"])),
        "local.worker_memory_mb": str(math.floor(0.85 * 1073.741824 * size["worker_gib"])),
        "local.price_per_gpu_hour": str(price_of_a_worker(gpu)),
        "local.price_per_function_hour": str(price_of_a_function()),
        "local.worker_port": "8080",
        "var.project_id": "demo-project",
    }
    return {key: _evaluated(value, given) for key, value in terraform.map_of("environment.tf", name).items()}


def defaults() -> dict[str, str | None]:
    found = {}
    for name, block in terraform.variables().items():
        default = re.search(r"^  default\s*=\s*(\S.*)$", block, re.MULTILINE)
        found[name] = default[1].strip('"') if default else None
    return found


def _evaluated(expression: str, given: Mapping[str, str]) -> str:
    match re.sub(r"^tostring\((.*)\)$", r"\1", expression):
        case quoted if quoted.startswith('"'):
            return re.sub(r"\$\{[^}]*\}", "8118", quoted.strip('"'))
        case local if local.startswith("local.buckets"):
            return "demo-mill-" + local.split('"')[1]
        case name:
            return given[name]


def test_each_identity_has_the_rights_that_its_code_needs() -> None:
    """Decision 0008 has the table, derived from the calls in the code; pipeline.json has what Terraform grants."""
    assert PIPELINE["rights"] == decided()


def decided() -> dict[str, dict[str, Any]]:
    rows = [
        [re.sub(r"\*\*", "", cell).strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs/decisions/0008-google-adapters.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    heads = [IDENTITIES.get(name, name) for name in rows[0][1:]]
    table = {row[0]: dict(zip(heads, row[1:], strict=True)) for row in rows[1:]}
    return {name: _rights({what: cells[name] for what, cells in table.items()}) for name in heads}


def _rights(row: Mapping[str, str]) -> dict[str, Any]:
    buckets = {
        bucket: row["data bucket" if bucket == "data" else bucket] for bucket in ("data", "inbox", "uploads", "outbox")
    }
    publishes = {
        "documents": row["publishes to documents"],
        "pages-express": row["publishes to both pages topics"],
        "pages-bulk": row["publishes to both pages topics"],
        "outcomes": row["publishes to outcomes"],
    }
    has_key = row["sealing key"] in {"yes", "lists with passwords"}
    has_secret = row["sealing key"] == "only without a callback secret"
    return {
        "buckets": {
            name: roles.split(", ")
            for name, roles in buckets.items()
            if "viewer" in roles or roles in {"creator", "user"}
        },
        "publishes": [topic for topic, answer in publishes.items() if answer == "yes"],
        "secrets": ["sealing-key"] * has_key + ["callback-secret"] * has_secret,
        "signs": row["signs links"] == "yes",
    }


def test_every_right_of_the_table_is_granted_by_something() -> None:
    """The kinds of right in pipeline.json are those that a resource walks through."""
    used = set(re.findall(r"rights\.(\w+)", terraform.everything()))

    assert used == set(PIPELINE["rights"]["submit"])


def test_failed_pages_are_counted_by_the_words_of_the_log() -> None:
    filters = terraform.text("monitoring.tf")
    words = re.search(
        r'log\.warning\("([^"]+)", extra=\{[^}]*"code": error\.code', Path(str(commit.__file__)).read_text()
    )

    assert words is not None
    assert f'jsonPayload.message = \\"{words[1]}\\"' in filters
    assert f'jsonPayload.logger = \\"{commit.__name__}\\"' in filters


def test_a_vms_log_of_lines_as_text_is_counted_as_well() -> None:
    record = logging.makeLogRecord({"name": commit.__name__, "msg": "page failed", "levelname": "WARNING"})
    record.__dict__ |= {"job_id": "01J", "page": 3, "code": "render_failed"}

    assert counted_in_text(record) == ("render_failed", None)


def test_a_vm_is_as_busy_as_its_workers_log_says(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=busy.__name__):
        busy.Busy(every_seconds=0).look(has_work=False)
    (record,) = caplog.records

    assert counted_in_text(record) == (None, "0.0")


def counted_in_text(record: logging.LogRecord) -> tuple[str | None, str | None]:
    """What the two metrics take from a line of a VM: a failed page's code, a minute's busy seconds."""
    line = JsonFormatter().format(record)
    expressions = re.findall(r'jsonPayload\.message(?: =~|,) \\"([^"]+)\\"', terraform.text("monitoring.tf"))
    failed, code, busy_line, seconds = expressions
    return found_in(line, failed, code), found_in(line, busy_line, seconds)


def found_in(line: str, wanted: str, value: str) -> str | None:
    if not re.search(wanted, line):
        return None
    found = re.search(value, line)
    assert found is not None
    return str(found[1])


def test_every_number_that_costs_money_is_explained_limited_and_has_a_default() -> None:
    asked_for = {"project_id", "billing_account", "alert_email"}
    flags = {"public_api", "build_deploys", "is_protected"}
    blocks = terraform.variables()

    assert [name for name, block in blocks.items() if "description = " not in block] == []
    assert [name for name, block in blocks.items() if "  default" not in block] == sorted(
        asked_for, key=list(blocks).index
    )
    assert {name for name, block in blocks.items() if "validation {" not in block} == flags | {"github"}


def test_every_validation_is_held_by_a_test_of_terraforms() -> None:
    validated = {name for name, block in terraform.variables().items() if "validation {" in block}
    tested = set(
        re.findall(
            r"expect_failures = \[var\.(\w+)\]", (terraform.TERRAFORM / "tests/validations.tftest.hcl").read_text()
        )
    )

    assert tested == validated


def test_the_two_halves_of_lanes_in_vllm_are_both_there() -> None:
    assert terraform.map_of("environment.tf", "worker_environment")[PREFIX + "VL_PRIORITY"] == '"true"'
    assert "scheduling-policy: priority" in (ROOT / "vllm.yaml").read_text()


def test_the_functions_archive_holds_what_they_import_and_what_they_install() -> None:
    build = (ROOT / "cloudbuild.yaml").read_text()
    packed = re.search(r"zipfile -c functions\.zip (.+)$", build, re.MULTILINE)

    assert packed is not None
    assert packed[1].split() == ["main.py", "requirements.txt", "shared", "ingest_fn", "notifier"]
    assert all((ROOT / name).exists() for name in packed[1].split())


def test_what_the_functions_install_is_pinned_with_hashes_and_is_what_the_tests_ran_on() -> None:
    wanted, ran = pins("requirements.txt"), pins("requirements/dev.txt")

    assert wanted
    assert {name: version for name, version in wanted.items() if name in ran} == {
        name: ran[name] for name in wanted if name in ran
    }
    assert (ROOT / "requirements.txt").read_text().count("--hash=sha256:") >= len(wanted)


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.\[\]_-]+)==([^ \\;]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_images_are_named_and_ported_as_terraform_expects() -> None:
    ports = terraform.text("worker.tf")

    assert "EXPOSE 8080" in (ROOT / "Dockerfile.worker").read_text()
    assert "worker_port = 8080" in ports
    assert '"--port", "8118"' in (ROOT / "Dockerfile.vlm").read_text()
    assert "vlm_port    = 8118" in ports
    assert re.search(r"^USER 1000:1000$", (ROOT / "Dockerfile.vlm").read_text(), re.MULTILINE)
    assert "HOME=/home/paddleocr" in (ROOT / "Dockerfile.vlm").read_text()
    assert (ROOT / "Dockerfile.worker").read_text().count("USER 10001:10001") == 2


def test_one_machine_starts_vllm_before_pagemill_and_sets_only_settings() -> None:
    composed = (ROOT / "docker-compose.yaml").read_text()
    known = {variable(field.name, field.metadata) for field in fields(Settings)}

    assert set(re.findall(rf"^\s+({PREFIX}[A-Z_]+|VL_SERVER_URL):", composed, re.MULTILINE)) <= known
    assert composed.count("condition: service_healthy") == 3
