"""What docs/operate/ tells to type can be typed: it parses, and programs, flags, variables and files exist."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from local.cli import cli
from shared import layout, outbox
from shared.config import read_settings
from shared.domain.job import JobId
from tests import terraform_files as terraform
from tests.backends import missing_backend
from tests.operate_commands import Command, blocks, commands, gcloud_tree, wrong_with_gcloud

ROOT = Path(__file__).parents[1]
OPERATE = ROOT / "docs" / "operate"
PAGES = sorted(OPERATE.glob("*.md"))
COMMANDS = [command for page in PAGES for command in commands(page)]

KNOWN = {"gcloud", "terraform", "pagemill", "git", "docker", "curl", "jq", "base64", "head", "date", "printf", "export",
         "cat", "read", "[", "sed", "rm"}  # fmt: skip
TERRAFORM = {"init", "plan", "apply", "destroy", "output"}
COMPOSE = {"up", "down", "logs"}


def of(program: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[0] == program]


def test_there_is_a_page_for_each_thing_that_an_operator_does() -> None:
    wanted = {"deploy", "upgrade", "roll-back", "stuck-jobs", "dead-letters", "keys-and-secrets", "costs", "quotas",
              "delete-a-tenant", "one-machine"}  # fmt: skip
    listed = set(re.findall(r"\]\(([a-z-]+)\.md\)", (OPERATE / "README.md").read_text()))

    assert wanted <= {page.stem for page in PAGES}
    assert listed >= wanted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_shell_can_parse_every_block(page: Path) -> None:
    for block in blocks(page):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)

        assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.mark.parametrize("step", range(len(re.findall(r"\n  - id: ", (ROOT / "cloudbuild.yaml").read_text()))))
def test_a_shell_can_parse_every_step_of_the_build(step: int) -> None:
    script = re.split(r"\n  - id: ", (ROOT / "cloudbuild.yaml").read_text())[1:][step].partition("script: |\n")[2]

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert script
    assert done.returncode == 0, done.stderr


def test_a_shell_can_parse_what_a_preempted_vm_runs() -> None:
    template = (terraform.TERRAFORM / "worker_vm.yaml.tftpl").read_text()
    script = template.partition("#!/bin/bash")[2].partition("\nruncmd:")[0]

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert "systemctl stop pagemill-worker.service" in script
    assert done.returncode == 0, done.stderr


def test_every_program_is_one_that_an_operator_has() -> None:
    assert COMMANDS
    assert [str(command) for command in COMMANDS if command.words[0] not in KNOWN] == []


def test_every_gcloud_command_and_flag_exists() -> None:
    tree = gcloud_tree()
    if tree is None:
        missing_backend("the Cloud SDK's list of commands")

    assert len(of("gcloud")) > 20
    assert [problem for command in of("gcloud") for problem in wrong_with_gcloud(command.words, tree)] == []


def test_every_terraform_command_variable_and_output_exists() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', terraform.text("outputs.tf"), re.MULTILINE))
    for command in of("terraform"):
        words = [word for word in command.words if not word.startswith("-chdir=")]
        given = [words[at + 1].split("=")[0] for at, word in enumerate(words) if word == "-var"]

        assert words[1] in TERRAFORM, str(command)
        assert set(given) <= set(terraform.variables()), str(command)
        assert words[1] != "output" or words[-1] in outputs, str(command)
        assert "-chdir=terraform" in command.words, str(command)


def test_every_variable_of_terraform_that_is_written_down_exists() -> None:
    tfvars = "\n".join(re.findall(r"<<END\n(.*?)^END$", (OPERATE / "deploy.md").read_text(), re.DOTALL | re.MULTILINE))
    assigned = set(re.findall(r"^(\w+)\s+=", tfvars, re.MULTILINE))
    table = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", (OPERATE / "costs.md").read_text(), re.MULTILINE)

    assert {"project_id", "billing_account", "alert_email"} <= assigned <= set(terraform.variables())
    assert {name for row in table for name in re.findall(r"`(\w+)`", row)} <= set(terraform.variables())


def test_every_pagemill_command_and_option_exists() -> None:
    for command in of("pagemill"):
        known = cli.get_command(click.Context(cli), command.words[1])
        assert known is not None, str(command)
        options = {
            option for parameter in known.params if isinstance(parameter, click.Option) for option in parameter.opts
        }

        assert {word for word in command.words if word.startswith("--")} <= options, str(command)


def test_every_docker_command_is_composes() -> None:
    assert all(command.words[1] == "compose" and command.words[2] in COMPOSE for command in of("docker"))


def test_every_file_that_a_command_names_is_there() -> None:
    named = {
        word
        for command in COMMANDS
        for word in command.words
        if re.match(r"^(docs|terraform|tests)/[\w./-]+$", word) or word.endswith((".yaml", ".pdf"))
    }
    made = {"terraform/terraform.tfvars", "terraform/backend_override.tf"}

    assert named
    assert [word for word in named - made if not (ROOT / word).exists()] == []


def test_every_alert_names_a_page_that_is_there() -> None:
    monitoring = terraform.text("monitoring.tf")
    pages = set(re.findall(r'(?:page\s+= "|docs/operate/)([a-z-]+\.md)', monitoring))

    assert len(pages) == 3
    assert [page for page in pages if not (OPERATE / page).exists()] == []


def test_buckets_topics_and_services_are_called_as_terraform_calls_them() -> None:
    """Of what is named by the installation's name, the part behind it."""
    text = "\n".join(page.read_text() for page in PAGES)
    kinds = {"data", "inbox", "uploads", "outbox", "source", "state"}
    named = {
        "build",
        "deploy",
        "data",
        "sweep",
        "submit",
        "autoscaler",
        "worker",
        "dead-letters",
        "sealing-key",
        "callback-secret",
    }

    assert set(re.findall(r"gs://\$PROJECT-\$NAME-([a-z]+)", text)) <= kinds
    assert set(re.findall(r"(?<!\$PROJECT-)\$NAME-([a-z-]+)", text)) <= named


def test_objects_lie_where_the_code_puts_them() -> None:
    """A prefix that is only nearly right would delete nothing, and say so to nobody."""
    text = "\n".join(page.read_text() for page in PAGES)
    named = re.findall(r'gs://\$PROJECT-\$NAME-(data|uploads|inbox|outbox)/([^"\s]*)', text)
    entry = layout.cached_page("$TENANT", "recipe/" + "ab" * 32)

    assert {name for bucket, name in named if bucket == "data"} == {
        entry.replace("/ab/", "/*/").partition("pages/")[0],
        layout.result_json(JobId("ID"), 1).partition("ID")[0],
    }
    assert {(bucket, name) for bucket, name in named if bucket != "data"} == {
        ("uploads", layout.upload_object("$TENANT", "")),
        ("inbox", f"{layout.INBOX}$TENANT/"),
        ("outbox", f"{outbox.OUTBOX}$TENANT/"),
    }


def test_the_jobs_that_are_erased_are_those_of_the_tenant_that_is_named() -> None:
    (erase,) = [command for command in of("pagemill") if command.words[1] == "erase"]

    assert erase.words[2:] == ["--tenant", "$TENANT"]


def test_costs_of_all_tenants_are_read_with_settings_that_exist() -> None:
    exported = [word for command in of("export") for word in command.words[1:] if word.startswith("PAGEMILL_")]
    values = {name: value.replace("$PROJECT", "demo").replace("$NAME", "mill") for name, _, value in
              (word.partition("=") for word in exported)}  # fmt: skip

    assert read_settings(values).bucket == "demo-mill-data"


def test_nothing_that_the_next_apply_would_undo_is_given_on_the_command_line() -> None:
    assert [str(command) for command in of("terraform") if "-var" in command.words] == []


def test_a_billing_account_is_one_that_terraform_accepts() -> None:
    named = set(re.findall(r"\b\w{6}-\w{6}-\w{6}\b", "\n".join(page.read_text() for page in PAGES)))

    assert named
    assert [each for each in named if not re.fullmatch(r"([0-9A-F]{6}-){2}[0-9A-F]{6}", each)] == []
