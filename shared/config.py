"""The settings of a process: read once in its `main`, every problem reported together, an unknown name refused."""

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.domain.budgets import Budgets, TenantBudget, parse_tenant_budgets
from shared.domain.costs import LIST_PRICES, Prices
from shared.domain.job import Limits
from shared.domain.options import EngineSettings
from shared.domain.secret import Secret
from shared.domain.webhook import parse_secret
from shared.net.address import Allowed
from shared.sealing import KEY_BYTES

PREFIX = "PAGEMILL_"

ENGINES: Mapping[str, EngineSettings] = {
    "rapidocr": EngineSettings(name="rapidocr", revision="3.10.0-2", dpi=150),
    "null": EngineSettings(name="null", revision="1", dpi=72),
    # 144 is what the library renders a PDF's pages at: twice 72.
    "paddleocr-vl": EngineSettings(name="paddleocr-vl", revision="3.7.0-1", dpi=144),
}
"""What identifies each engine's readings, for those who plan pages without loading an engine."""

VL_MODELS: Mapping[str, str] = {
    "v1.6": "PaddleOCR-VL-1.6-0.9B",
    "v1.5": "PaddleOCR-VL-1.5-0.9B",
    "v1": "PaddleOCR-VL-0.9B",
}
"""The library's pipeline versions, and the model that each expects vLLM to serve."""
MODEL_SOURCES = ("huggingface", "modelscope", "aistudio", "bos")

PLATFORMS = ("embedded", "google")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(Exception):
    """`problems` holds one sentence for each setting that is wrong; none of them repeats a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _text(text: str) -> str:
    """An empty host, for one, would be every address of the machine."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _name(text: str) -> str:
    """As projects, buckets, topics and subscriptions are named; each service has narrower rules of its own."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", text, re.ASCII):
        raise ValueError("must be 3 to 222 lower-case letters, digits, dots, hyphens or underscores")
    return text


def _sealing_key(text: str) -> Secret:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("must be base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"must hold {KEY_BYTES} bytes, and holds {len(key)}")
    return Secret(text)


def _path(text: str) -> Path:
    try:
        return Path(_text(text)).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError("there is no home folder to put it in; name a folder") from error


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text) if re.fullmatch(r"\d{1,15}(\.\d{1,15})?", text, re.ASCII) else None
        if value is None or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return read


def _flag(text: str) -> bool:
    answers = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in answers:
        raise ValueError("must be true or false")
    return answers[text.lower()]


def _base_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise ValueError("must begin with http:// or https:// and a host, and have neither user, query nor fragment")
    return text.rstrip("/")


def _callback_secrets(text: str) -> tuple[Secret, ...]:
    return tuple(parse_secret(part) for part in text.split())


def _setting(default: object, read: Callable[[str], Any], doc: str, *, variable: str | None = None) -> Any:
    """`variable` names a setting that others named first."""
    return field(default=default, metadata={"read": read, "doc": doc, "variable": variable})


def _default_data() -> Path:
    return _path(_DEFAULT_DATA)


_DEFAULT_DATA = "~/.local/share/pagemill"
_NOTHING_ALLOWED = Allowed()
_PRICE = _number(0, 10**6)
_MOST_ENGINE_WORKERS = 64
_MOST_LAYOUT_PROCESSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the environment variable PAGEMILL_ and its name in capitals, or the one that it names."""

    data: Path = field(
        default_factory=_default_data,
        metadata={"read": _path, "doc": "folder of the embedded adapters: jobs, messages, objects, and a secret key"},
    )
    host: str = _setting("127.0.0.1", _text, "address that `pagemill serve` listens on")
    port: int = _setting(8000, _whole(0, 65535), "port that `pagemill serve` listens on; 0 lets the system pick")
    public_url: str | None = _setting(None, _base_url, "address under which callers reach the server, for links")
    engine: str = _setting("rapidocr", _one_of(*ENGINES), "what reads the pages")
    engine_workers: int = field(
        default_factory=lambda: min(os.cpu_count() or 1, _MOST_ENGINE_WORKERS),
        metadata={"read": _whole(1, _MOST_ENGINE_WORKERS), "doc": "pages that the CPU engine reads at the same time"},
    )
    vl_server_url: str | None = _setting(
        None, _base_url, "paddleocr-vl: vLLM's address, …/v1 or its root", variable="VL_SERVER_URL"
    )
    vl_pipeline: str = _setting("v1.6", _one_of(*VL_MODELS), "paddleocr-vl: version of the library's pipeline")
    vl_model: str | None = _setting(
        None, _text, "paddleocr-vl: the name under which vLLM serves the model, where it isn't the model's own"
    )
    vl_requests: int = _setting(64, _whole(1, 4096), "paddleocr-vl: blocks that vLLM is asked for at the same time")
    vl_pages: int = _setting(96, _whole(1, 1024), "paddleocr-vl: page images in memory, 6 MB each at 144 dpi")
    vl_seconds: float = _setting(120.0, _number(1, 600), "paddleocr-vl: longest wait for one block")
    vl_tokens: int = _setting(4096, _whole(64, 32768), "paddleocr-vl: longest answer for one block, in tokens")
    vl_priority: bool = _setting(
        False, _flag, "paddleocr-vl: whether vLLM runs with --scheduling-policy priority, and takes a request's lane"
    )
    layout_model: Path | None = _setting(
        None, _path, "paddleocr-vl: folder of the layout model; by default the library fetches its own"
    )
    layout_device: str = _setting(
        "cpu", _one_of("cpu", "gpu"), "paddleocr-vl: where layout runs: onnxruntime on the CPU, or paddle with CUDA"
    )
    layout_processes: int = field(
        default_factory=lambda: min(os.cpu_count() or 1, _MOST_LAYOUT_PROCESSES),
        metadata={
            "read": _whole(1, 64),
            "doc": "paddleocr-vl: processes that detect layout, each a page at a time; 400 MB of memory each",
        },
    )
    model_source: str = _setting(
        "huggingface",
        _one_of(*MODEL_SOURCES),
        "paddleocr-vl: where the library fetches layout models from",
        variable="PADDLE_PDX_MODEL_SOURCE",
    )
    worker_memory_mb: float = _setting(
        0.0, _number(0, 10**6), "memory of the worker's processes above which it ends between ranges; 0: never"
    )
    worker_port: int | None = _setting(None, _whole(0, 65535), "port of the worker's /healthz and /metrics; none: off")
    cache_days: float = _setting(30.0, _number(0, 3650), "how long what was read is kept for the same pixels; 0: not")
    fetch_allow: Allowed = _setting(
        _NOTHING_ALLOWED, Allowed.parse, "hosts or CIDRs that the address guard lets through in spite of being private"
    )
    fetch_seconds: float = _setting(120.0, _number(1, 3600), "longest time that fetching one document may take")
    fetch_tries: int = _setting(
        5, _whole(1, 5), "how often a document is asked for, over six minutes, until its job fails"
    )
    callback_secret: tuple[Secret, ...] = _setting(
        (), _callback_secrets, "whsec_… that signs callbacks; several, separated by spaces, while one is replaced"
    )
    callback_allow_http: bool = _setting(False, _flag, "whether callbacks may go to http:// as well")
    max_bytes: int = _setting(200_000_000, _whole(1, 10**12), "largest document, in bytes")
    max_pages: int = _setting(2_000, _whole(1, 100_000), "most pages of a document")
    max_list_lines: int = _setting(100_000, _whole(1, 10_000_000), "most documents of one list in the inbox")
    max_pixels: int = _setting(40_000_000, _whole(10_000, 500_000_000), "largest page image, in pixels of 3 bytes")
    page_seconds: float = _setting(30.0, _number(0.1, 600), "longest time that opening or rendering a page may take")
    deadline_hours: float = _setting(24.0, _number(0.01, 720), "time by which a job has ended")
    retention_days: float = _setting(7.0, _number(0.001, 3650), "how long jobs and results are kept after the end")
    platform: str = _setting("embedded", _one_of(*PLATFORMS), "what keeps jobs, messages and objects")
    project: str = _setting("pagemill", _name, "google: the project")
    database: str = _setting("(default)", _text, "google: the Firestore database")
    names: str = _setting("pagemill", _name, "google: what the names of topics and subscriptions begin with")
    bucket: str | None = _setting(None, _name, "google: the bucket of jobs and results")
    inbox_bucket: str | None = _setting(None, _name, "google: the bucket whose objects start jobs, under inbox/TENANT/")
    uploads_bucket: str | None = _setting(None, _name, "google: the bucket that callers upload to")
    outbox_bucket: str | None = _setting(None, _name, "google: the bucket that results of the inbox are copied to")
    sealing_key: Secret | None = _setting(None, _sealing_key, "google: 32 bytes in base64 that seal passwords")
    push_audience: str | None = _setting(None, _text, "google: the audience of the tokens that pushes carry")
    push_account: str | None = _setting(None, _text, "google: the service account whose tokens pushes carry")
    push_checked_by: str = _setting(
        "us", _one_of("us", "cloud-run"), "google: whose check of a token's signature counts; Cloud Run's takes it off"
    )
    traces_url: str | None = _setting(None, _base_url, "collector of OpenTelemetry spans: OTLP over HTTP, …/v1/traces")
    log_level: str = _setting("INFO", _one_of(*LOG_LEVELS), "least severity that is logged")
    price_worker_hour: float | None = _setting(
        None,
        _PRICE,
        f"USD an hour of one worker with its GPU; default: {LIST_PRICES.worker_hour} on google (list price of a Cloud"
        " Run L4 with 8 vCPU and 24 GiB, November 2026), else 0; as of every price, 0: not priced",
    )
    price_function_hour: float | None = _setting(
        None,
        _PRICE,
        f"USD an hour of one function's instance; default: {LIST_PRICES.function_hour} on google (list price of 2 vCPU"
        " and 4 GiB, November 2026), else 0",
    )
    price_page: float | None = _setting(
        None,
        _PRICE,
        f"USD of a page's requests; default: {LIST_PRICES.page:.6f} on google (list prices of 4 objects and 4 Firestore"
        " writes, November 2026), else 0",
    )
    price_stored_gb_month: float | None = _setting(
        None,
        _PRICE,
        f"USD a GB and month of source and results; default: {LIST_PRICES.stored_gb_month} on google (list price of"
        " standard storage, November 2026), else 0",
    )
    budget_day: float | None = _setting(
        None,
        _number(0, 10**9),
        "USD a day (UTC) of all tenants together; above it new jobs are refused",
    )
    budget_tenant_day: tuple[TenantBudget, ...] = _setting(
        (), parse_tenant_budgets, "USD a day of each tenant, and of some by name: `5`, or `* 5 acme 20`"
    )
    budget_page_seconds: float = _setting(
        2.5,
        _number(0, 3600),
        "engine's seconds that a budget holds for a page not read yet; 2.5 is an assumption, nobody published an L4's",
    )
    budget_pages: int = _setting(
        32, _whole(1, 100_000), "pages that a budget holds for a document that was not opened yet"
    )

    @property
    def engine_settings(self) -> EngineSettings:
        """Another version of a pipeline is another reading."""
        chosen = ENGINES[self.engine]
        return replace(chosen, revision=f"{chosen.revision}-{self.vl_pipeline}") if self.reads_with_vl else chosen

    @property
    def reads_with_vl(self) -> bool:
        return self.engine == "paddleocr-vl"

    @property
    def vl_served_model(self) -> str:
        return self.vl_model or VL_MODELS[self.vl_pipeline]

    @property
    def prices(self) -> Prices:
        """Machines of one's own have no list price."""
        listed = LIST_PRICES if self.platform == "google" else Prices()
        given = {each.name: getattr(self, f"price_{each.name}") for each in fields(Prices)}
        return replace(listed, **{name: price for name, price in given.items() if price is not None})

    @property
    def budgets(self) -> Budgets:
        page = self.prices.page_estimate(engine_seconds=self.budget_page_seconds)
        tenants = {each.tenant: each.amount for each in self.budget_tenant_day}
        return Budgets(everybody=self.budget_day, tenants=tenants, page=page, pages=self.budget_pages)

    @property
    def limits(self) -> Limits:
        return Limits(
            deadline=timedelta(hours=self.deadline_hours),
            retention=timedelta(days=self.retention_days),
            pages_a_document=self.max_pages,
            bytes_a_document=self.max_bytes,
            prepare_tries=self.fetch_tries,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One setting as `pagemill config` shows it."""

    name: str
    value: str
    origin: str
    doc: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError with every problem at once."""
    known = {_variable(each): each for each in fields(Settings)}
    problems = [
        f"{name} is not a setting of pagemill" for name in sorted(environment) if _is_ours(name) and name not in known
    ]
    # Where there is no home folder, the default is a problem like any other.
    given = {PREFIX + "DATA": _DEFAULT_DATA, **environment}
    values: dict[str, Any] = {}
    for name, each in known.items():
        if name in given:
            try:
                values[each.name] = each.metadata["read"](given[name])
            except ValueError as error:
                problems.append(f"{name}: {error}")
    if values.get("engine") == "paddleocr-vl" and "vl_server_url" not in values:
        problems.append("VL_SERVER_URL: the engine paddleocr-vl needs the address of vLLM")
    if problems:
        raise SettingsError(problems)
    settings = Settings(**values)
    if settings.budgets.are_set and not settings.budgets.page:
        raise SettingsError(["Budgets need a price: PAGEMILL_PRICE_WORKER_HOUR or PAGEMILL_PRICE_PAGE."])
    return settings


def explain(settings: Settings, environment: Mapping[str, str]) -> list[Explained]:
    return [
        Explained(
            name=_variable(each),
            value=_shown(getattr(settings, each.name)),
            origin="environment" if _variable(each) in environment else "default",
            doc=each.metadata["doc"],
        )
        for each in fields(Settings)
    ]


def _variable(each: Field[Any]) -> str:
    return each.metadata.get("variable") or PREFIX + each.name.upper()


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX)


def _shown(value: object) -> str:
    match value:
        case None | ():
            return ""
        case tuple():
            return " ".join(str(part) for part in value)
        case bool():
            return str(value).lower()
        case Allowed():
            return ",".join([*sorted(value.hosts), *(str(network) for network in value.networks)])
        case _:
            return str(value)
