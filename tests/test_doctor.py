"""`pagemill doctor` as an operator types it: what is well, what is wrong, and what it says is to be done."""

import base64
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from gpu_worker.engines import sample
from local.doctor import examine
from local.project import buckets
from shared.adapters.google.clients import open_clients
from shared.adapters.google.names import Names
from shared.adapters.google.provision import provision_buckets, provision_bus
from shared.config import read_settings
from tests.servers import closed_port
from tests.serving import environment
from tests.vllm_answers import MODEL
from tests.vllm_stub import Stub, stub

ROOT = Path(__file__).parents[1]
Verdicts = dict[str, dict[str, str]]

CARD = "NVIDIA L4, 550.54.15, 8.9"
OVERVIEW = "| NVIDIA-SMI 560.35.03      Driver Version: 560.35.03      CUDA Version: 12.6     |"
WITHOUT_ONNXRUNTIME = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def typed(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local", "doctor", *arguments]
    return subprocess.run(command, env=dict(variables), capture_output=True, text=True, check=False)


def doctor(variables: Mapping[str, str]) -> Verdicts:
    """As the command, without a process for each test."""
    return {verdict.check: asdict(verdict) for verdict in examine(variables)}


def states(verdicts: Verdicts) -> dict[str, str]:
    return {check: verdict["state"] for check, verdict in verdicts.items()}


def with_vllm(folder: Path, url: str, **settings: str) -> dict[str, str]:
    """An installation whose layout model is there; its GPU is not."""
    layout = folder / "layout"
    layout.mkdir(exist_ok=True)
    for name in ("inference.onnx", "inference.yml"):
        (layout / name).touch()
    ours = {"ENGINE": "paddleocr-vl", "LAYOUT_MODEL": str(layout)} | settings
    return environment(folder / "data", **ours) | {"VL_SERVER_URL": url}


def with_gpu(folder: Path, variables: Mapping[str, str], *, card: str, overview: str) -> dict[str, str]:
    """A driver's program that prints what NVIDIA's does."""
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\nif [ "$#" -gt 0 ]; then echo "{card}"; else echo "{overview}"; fi\n')
    program.chmod(0o755)
    return dict(variables) | {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as running:
        yield running


def test_an_installation_on_one_machine_is_well_and_reads_a_line_for_real(tmp_path: Path) -> None:
    done = typed(environment(tmp_path / "data", ENGINE="rapidocr"), "--json")

    verdicts = {verdict["check"]: verdict for verdict in json.loads(done.stdout)}
    assert done.returncode == 0
    assert set(states(verdicts).values()) == {"ok", "skipped"}
    assert states(verdicts)["recognition"] == "ok"
    assert "12.50" in verdicts["recognition"]["found"]
    assert not (tmp_path / "data").exists()


def test_without_json_each_verdict_is_a_line_and_a_failed_one_has_its_remedy_below(tmp_path: Path) -> None:
    (tmp_path / "pagemill.sqlite").write_bytes(b"this is no database" * 1000)

    done = typed(environment(tmp_path))

    lines = done.stdout.splitlines()
    failed = next(number for number, line in enumerate(lines) if line.startswith("failed"))
    assert done.returncode == 1
    assert lines[0].split()[:2] == ["ok", "settings"]
    assert lines[failed].split()[:2] == ["failed", "sqlite"]
    assert lines[failed + 1].strip().startswith("→ put a backup")


def test_settings_that_are_wrong_are_the_first_finding(tmp_path: Path) -> None:
    verdicts = doctor(environment(tmp_path, ENGINE="tesseract", PORTT="1"))

    assert list(verdicts) == ["settings"]
    assert "PAGEMILL_PORTT" in verdicts["settings"]["found"]
    assert "PAGEMILL_ENGINE" in verdicts["settings"]["found"]


def test_a_data_folder_that_cannot_be_written_is_found() -> None:
    verdicts = doctor(environment(Path("/proc/pagemill")))

    assert states(verdicts)["data"] == "failed"
    assert "PAGEMILL_DATA" in verdicts["data"]["remedy"]
    assert states(verdicts)["sqlite"] == "skipped"


def test_a_database_that_is_damaged_is_found(tmp_path: Path) -> None:
    (tmp_path / "pagemill.sqlite").write_bytes(b"this is no database" * 1000)

    verdicts = doctor(environment(tmp_path))

    assert states(verdicts)["sqlite"] == "failed"
    assert "pagemill.sqlite" in verdicts["sqlite"]["found"]


def test_a_vllm_that_is_well_reads_the_line(tmp_path: Path, server: Stub) -> None:
    verdicts = doctor(with_vllm(tmp_path, server.url))

    checks = ("layout", "vllm", "model", "recognition")
    assert {check: states(verdicts)[check] for check in checks} == dict.fromkeys(checks, "ok")
    assert server.stats()["prompts"] == {"OCR:": 1}
    assert server.last()["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_packages_that_are_missing_are_named(tmp_path: Path, server: Stub) -> None:
    """The engine's own are not in this environment."""
    verdicts = doctor(with_vllm(tmp_path, server.url))

    assert states(verdicts)["packages"] == "failed"
    assert re.search(r"paddleocr is missing|knows no extra 'worker'", verdicts["packages"]["found"])
    assert verdicts["packages"]["remedy"] == "pip install 'pagemill[worker]'"


def test_a_library_that_is_missing_where_the_engine_reads_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_ONNXRUNTIME)

    done = typed(environment(tmp_path / "data", ENGINE="rapidocr") | {"PYTHONPATH": str(tmp_path)}, "--json")

    verdicts = {verdict["check"]: verdict for verdict in json.loads(done.stdout)}
    assert (done.returncode, done.stderr) == (1, "")
    assert states(verdicts)["recognition"] == "failed"
    assert "onnxruntime" in verdicts["recognition"]["found"]
    assert verdicts["recognition"]["remedy"] == "pip install 'pagemill[local]'"


def test_a_vllm_that_serves_another_model_is_told_which(tmp_path: Path, server: Stub) -> None:
    server.set(model="Qwen2.5-VL-3B")

    verdicts = doctor(with_vllm(tmp_path, server.url))

    assert states(verdicts)["vllm"] == "ok"
    assert verdicts["model"]["found"] == f"vLLM serves Qwen2.5-VL-3B, not {MODEL}"
    assert f"--served-model-name {MODEL}" in verdicts["model"]["remedy"]


def test_a_vllm_that_is_away_is_told_and_nothing_more_is_asked_of_it(tmp_path: Path) -> None:
    verdicts = doctor(with_vllm(tmp_path, f"http://127.0.0.1:{closed_port()}"))

    assert states(verdicts)["vllm"] == "failed"
    assert "VL_SERVER_URL" in verdicts["vllm"]["remedy"]
    assert {states(verdicts)[check] for check in ("model", "recognition")} == {"skipped"}


@pytest.mark.parametrize("do", ["not_json", "empty", "repeat"])
def test_a_vllm_that_answers_garbage_does_not_read(tmp_path: Path, server: Stub, do: str) -> None:
    server.misbehave({"do": do})

    verdicts = doctor(with_vllm(tmp_path, server.url))

    assert states(verdicts)["recognition"] == "failed"
    assert verdicts["recognition"]["remedy"]


def test_a_layout_model_that_is_not_there_is_told_how_to_fetch(tmp_path: Path, server: Stub) -> None:
    variables = with_vllm(tmp_path, server.url)
    (tmp_path / "layout" / "inference.onnx").unlink()

    verdicts = doctor(variables)

    assert "lacks inference.onnx" in verdicts["layout"]["found"]
    assert "gpu_worker.engines.warm" in verdicts["layout"]["remedy"]


def test_the_layout_model_may_be_in_the_librarys_cache(tmp_path: Path, server: Stub) -> None:
    variables = with_vllm(tmp_path, server.url)
    folder = tmp_path / "cache" / "official_models" / "PP-DocLayoutV3_onnx"
    folder.parent.mkdir(parents=True)
    Path(variables.pop("PAGEMILL_LAYOUT_MODEL")).rename(folder)

    verdicts = doctor(variables | {"PADDLE_PDX_CACHE_HOME": str(tmp_path / "cache")})

    assert verdicts["layout"]["found"] == str(folder)
    assert states(verdicts)["layout"] == "ok"


def test_no_gpu_is_needed_where_vllm_runs_elsewhere(tmp_path: Path) -> None:
    verdicts = doctor(with_vllm(tmp_path, "http://vllm.invalid:8000"))

    assert states(verdicts)["gpu"] == "skipped"
    assert states(verdicts)["vllm"] == "failed"


def test_no_gpu_where_vllm_is_to_run_is_wrong_unless_vllm_answers(tmp_path: Path, server: Stub) -> None:
    without = doctor(with_vllm(tmp_path, f"http://127.0.0.1:{closed_port()}") | {"PATH": str(tmp_path)})
    with_one = doctor(with_vllm(tmp_path, server.url) | {"PATH": str(tmp_path)})

    assert states(without)["gpu"] == "failed"
    assert states(with_one)["gpu"] == "skipped"


@pytest.mark.parametrize(
    ("printed", "state", "said"),
    [
        ((CARD, OVERVIEW), "ok", CARD),
        (("NVIDIA H100 80GB HBM3, 580.65.06, 9.0", OVERVIEW.replace("12.6", "13.0")), "ok", "CUDA 13.0"),
        (("Tesla T4, 560.35.03, 7.5", OVERVIEW), "failed", "compute capability 8.0"),
        ((CARD, OVERVIEW.replace("12.6", "12.4")), "failed", "CUDA 12.6 or later"),
        (("", ""), "failed", "no GPU"),
    ],
)
def test_a_gpu_is_held_against_what_vllm_needs(
    tmp_path: Path, server: Stub, printed: tuple[str, str], state: str, said: str
) -> None:
    verdicts = doctor(with_gpu(tmp_path, with_vllm(tmp_path, server.url), card=printed[0], overview=printed[1]))

    assert states(verdicts)["gpu"] == state
    assert said in verdicts["gpu"]["found"] + verdicts["gpu"]["remedy"]


def test_a_driver_that_does_not_answer_is_no_gpu(tmp_path: Path, server: Stub) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)

    verdicts = doctor(with_vllm(tmp_path, server.url) | {"PATH": str(tmp_path)})

    assert states(verdicts)["gpu"] == "failed"
    assert "driver" in verdicts["gpu"]["remedy"]


def on_google(emulators: Mapping[str, str], name: str, **settings: str) -> dict[str, str]:
    key = base64.b64encode(b"k" * 32).decode()
    ours = {
        "PLATFORM": "google",
        "PROJECT": name,
        "NAMES": name,
        "BUCKET": f"{name}-bucket",
        "SEALING_KEY": key,
    } | settings
    return environment(Path("unused"), **ours) | dict(emulators)


def test_an_installation_on_google_is_well_once_it_is_made_and_what_lacks_is_named(google: Mapping[str, str]) -> None:
    variables = on_google(google, "doctor-one")
    settings = read_settings(variables)

    missing = doctor(variables)
    clients = open_clients(project=settings.project, database=settings.database)
    provision_bus(clients.pubsub, Names(settings.project, settings.names))
    provision_buckets(clients.storage, [name for name in buckets(settings).values() if name is not None])
    clients.close()
    there = doctor(variables)

    assert {check: states(missing)[check] for check in ("bucket", "firestore", "topics")} == {
        "bucket": "failed",
        "firestore": "ok",
        "topics": "failed",
    }
    assert "doctor-one-bucket" in missing["bucket"]["found"]
    assert "doctor-one-documents" in missing["topics"]["found"]
    assert set(states(there).values()) == {"ok", "skipped"}


def test_a_subscription_that_is_missing_is_named(google: Mapping[str, str]) -> None:
    variables = on_google(google, "doctor-two")
    settings = read_settings(variables)
    names = Names(settings.project, settings.names)
    clients = open_clients(project=settings.project, database=settings.database)
    provision_bus(clients.pubsub, names)
    clients.pubsub.subscriber.delete_subscription(subscription=names.dead_letter_subscription)
    clients.close()

    verdicts = doctor(variables)

    assert states(verdicts)["topics"] == "failed"
    assert names.dead_letter_subscription in verdicts["topics"]["found"]


def test_nothing_to_sign_callbacks_with_is_found(google: Mapping[str, str]) -> None:
    variables = on_google(google, "doctor-three")
    del variables["PAGEMILL_SEALING_KEY"]
    del variables["PAGEMILL_BUCKET"]

    verdicts = doctor(variables)

    assert states(verdicts)["callbacks"] == "failed"
    assert "PAGEMILL_CALLBACK_SECRET" in verdicts["callbacks"]["remedy"]
    assert "PAGEMILL_BUCKET is not set" in verdicts["bucket"]["found"]


def test_without_credentials_google_is_not_asked(tmp_path: Path) -> None:
    variables = on_google({}, "doctor-four")
    nowhere = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json"), "HOME": str(tmp_path)}

    done = typed(variables | nowhere, "--json")

    verdicts = {verdict["check"]: verdict for verdict in json.loads(done.stdout)}
    assert done.returncode == 1
    assert states(verdicts)["credentials"] == "failed"
    assert "gcloud auth application-default login" in verdicts["credentials"]["remedy"]
    assert {states(verdicts)[check] for check in ("bucket", "firestore", "topics")} == {"skipped"}


def test_the_line_that_is_read_is_part_of_the_package(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])

    assert "gpu_worker/engines/sample.png" in zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        (sample.TEXT, True),
        (sample.TEXT.replace("$", ""), True),
        (f" {sample.TEXT}\n", True),
        ("", False),
        ("The fox jumps.", False),
        ("and so on " * 9, False),
    ],
)
def test_a_line_counts_as_read_but_for_a_character_or_two(text: str, is_read: bool) -> None:
    assert sample.is_read(text) is is_read


def test_packages_of_other_extras_are_not_asked_for(tmp_path: Path) -> None:
    verdicts = doctor(environment(tmp_path, ENGINE="null"))

    base = [need for need in metadata.requires("pagemill") or () if "extra ==" not in need]
    assert verdicts["packages"]["found"].startswith(f"{len(base)} there")
