"""What the doctor looks at of the engine: the layout model, vLLM, and whether a line of text is really read."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as NotInTime
from pathlib import Path

from gpu_worker.engines import engine, sample
from gpu_worker.engines.vl.body import Bodies
from gpu_worker.engines.vl.client import VllmClient, VllmSettings
from gpu_worker.engines.vl.connection import Address
from gpu_worker.engines.vl.probe import Probe
from gpu_worker.engines.vl.question import BlockRefused
from local.doctor import State, Verdict, failed, ok, skipped
from local.doctor_machine import installing
from shared.config import Settings
from shared.domain.errors import EngineUnavailable, PageRefused
from shared.domain.options import Lane, Options

_READ_SECONDS = 60.0
_LAYOUT = {"v1": "PP-DocLayoutV2"}
_NEWER_LAYOUT = "PP-DocLayoutV3"
_LAYOUT_FILES = {"cpu": ("_onnx", "inference.onnx"), "gpu": ("", "inference.pdiparams")}


def examine_engine(settings: Settings, environment: Mapping[str, str]) -> Iterator[Verdict]:
    if not settings.reads_with_vl:
        yield from (skipped(name, f"the engine {settings.engine} has none") for name in ("layout", "vllm", "model"))
        yield _recognition(lambda: _read_here(settings), settings)
        return
    yield check_layout_model(settings, environment)
    with_vllm = VllmSettings.of(settings)
    bodies = Bodies(model=with_vllm.model, priority=with_vllm.priority)
    probe = Probe(Address(with_vllm.url), bodies, model=with_vllm.model, seconds=with_vllm.seconds)
    reached = _health(probe, with_vllm)
    yield reached
    if reached.state is State.FAILED:
        yield from (skipped(name, "vLLM comes first") for name in ("model", "recognition"))
        return
    yield _model(probe, with_vllm)
    yield _recognition(lambda: _read_there(with_vllm), settings)


def check_layout_model(settings: Settings, environment: Mapping[str, str]) -> Verdict:
    """Whether the library would find it without the network: where the settings say, or in its own cache."""
    suffix, file = _LAYOUT_FILES[settings.layout_device]
    cache = Path(environment.get("PADDLE_PDX_CACHE_HOME") or Path.home() / ".paddlex")
    name = _LAYOUT.get(settings.vl_pipeline, _NEWER_LAYOUT) + suffix
    folder = settings.layout_model or cache / "official_models" / name
    missing = [name for name in (file, "inference.yml") if not (folder / name).is_file()]
    if not missing:
        return ok("layout", str(folder))
    remedy = "`python -m gpu_worker.engines.warm` fetches it, or PAGEMILL_LAYOUT_MODEL names its folder"
    return failed("layout", f"{folder} lacks {' and '.join(missing)}", remedy)


def _health(probe: Probe, vllm: VllmSettings) -> Verdict:
    try:
        probe.check_health()
    except EngineUnavailable as error:
        return failed("vllm", f"{vllm.url} is not well: {error}", "start vLLM there, or correct VL_SERVER_URL")
    return ok("vllm", f"{vllm.url} is well")


def _model(probe: Probe, vllm: VllmSettings) -> Verdict:
    try:
        probe.check_model()
    except EngineUnavailable as error:
        remedy = f"start vLLM with --served-model-name {vllm.model}, or set PAGEMILL_VL_MODEL or PAGEMILL_VL_PIPELINE"
        return failed("model", str(error), remedy)
    return ok("model", f"{vllm.model} is served")


def _recognition(read: Callable[[], str], settings: Settings) -> Verdict:
    if settings.engine == "null":
        return skipped("recognition", "the engine null reads nothing")
    try:
        text = read()
    except (EngineUnavailable, BlockRefused, PageRefused, NotInTime) as error:
        return failed("recognition", f"no answer: {error or 'none in time'}", "look into the log of vLLM")
    except ImportError as error:
        return failed("recognition", f"the engine does not start: {error}", installing(settings))
    if sample.is_read(text):
        return ok("recognition", f"read {text.strip()!r}")
    return failed("recognition", f"{sample.TEXT!r} was read as {text.strip()!r}", _wrong_reading(settings))


def _wrong_reading(settings: Settings) -> str:
    if settings.reads_with_vl:
        return "see that vLLM serves PaddleOCR-VL's weights, and that its version knows the model"
    return "install the package of the engine anew"


def _read_there(vllm: VllmSettings) -> str:
    client = VllmClient(vllm)
    try:
        return client.ask(sample.question()).result(_READ_SECONDS).text
    finally:
        client.close()


def _read_here(settings: Settings) -> str:
    reader = engine(settings)
    try:
        page = reader.submit(sample.page(), Options(), Lane.EXPRESS).result(_READ_SECONDS)
    finally:
        reader.close()
    return "\n".join(block.content for block in page.blocks)
