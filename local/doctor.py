"""`pagemill doctor`: checks in order what pagemill needs here, each with a plain verdict and what to do about it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from shared.config import Settings, SettingsError, explain, read_settings


class State(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`found` is what is so; `remedy` what to do, where it has failed."""

    check: str
    state: State
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Verdict:
    return Verdict(check=check, state=State.OK, found=found)


def failed(check: str, found: str, remedy: str) -> Verdict:
    return Verdict(check=check, state=State.FAILED, found=found, remedy=remedy)


def skipped(check: str, why: str) -> Verdict:
    return Verdict(check=check, state=State.SKIPPED, found=why)


def examine(environment: Mapping[str, str]) -> Iterator[Verdict]:
    """Yield each verdict as soon as it is known. What can't be looked into after a failure is skipped, with the why."""
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        yield failed("settings", "; ".join(error.problems), "correct them: `pagemill config` explains each")
        return
    given = sum(each.origin == "environment" for each in explain(settings, environment))
    yield ok("settings", f"{given} from the environment; platform {settings.platform}, engine {settings.engine}")
    yield from _examined(settings, environment)


def shown(verdict: Verdict) -> str:
    """One verdict for people: a line, and one more where something is to be done."""
    line = f"{verdict.state:8} {verdict.check:12} {verdict.found}"
    return f"{line}\n{'':21} → {verdict.remedy}" if verdict.remedy else line


def as_written(verdicts: Iterable[Verdict]) -> str:
    """All of them for programs."""
    return json.dumps([asdict(verdict) for verdict in verdicts], indent=2)


def _examined(settings: Settings, environment: Mapping[str, str]) -> Iterator[Verdict]:
    # What they import may be what is missing.
    from local.doctor_machine import check_gpu, check_packages, check_python  # noqa: PLC0415

    yield check_python()
    yield check_packages(settings)
    yield check_gpu(settings, environment)
    try:
        from local.doctor_engine import examine_engine  # noqa: PLC0415 - as above
        from local.doctor_platform import examine_platform  # noqa: PLC0415 - as above
    except ImportError as error:
        yield skipped("engine", f"the packages come first: {error}")
        return
    yield from examine_engine(settings, environment)
    yield from examine_platform(settings)
