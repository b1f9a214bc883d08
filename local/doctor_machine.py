"""What the doctor looks at on this machine: Python, packages, and the GPU where vLLM is to run on it."""

import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from urllib.parse import urlsplit

from local.doctor import Verdict, failed, ok, skipped
from shared.config import Settings

PYTHON = (3, 11)
COMPUTE_CAPABILITY = (8, 0)
"""bfloat16, which PaddleOCR-VL is served in, needs an Ampere; an L4 has 8.9, a T4 has 7.5."""
CUDA = (12, 6)
"""What the library's own images for vLLM are built for. The driver tells which CUDA it is good for."""

_EXTRAS = {"rapidocr": "local", "paddleocr-vl": "worker"}
_SMI = "nvidia-smi"
_SMI_SECONDS = 20.0
_CONNECT_SECONDS = 2.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_python() -> Verdict:
    if sys.version_info < PYTHON:
        return failed("python", platform.python_version(), f"install Python {'.'.join(map(str, PYTHON))} or later")
    return ok("python", f"{platform.python_version()} at {sys.executable}")


def check_packages(settings: Settings) -> Verdict:
    """Whether each package that engine and platform need is there, in its version where that is pinned."""
    if not _is_installed():
        return skipped("packages", "pagemill runs from its source, which says nothing of what is installed")
    extras = _extras(settings)
    unknown = [
        extra for extra in extras if extra not in (metadata.metadata("pagemill").get_all("Provides-Extra") or ())
    ]
    wanted = [need for extra in ("", *extras) for need in _needs(extra)]
    wrong = [f"this installation of pagemill knows no extra {extra!r}" for extra in unknown]
    wrong += [why for name, pin in wanted if (why := _wrong(name, pin))]
    if wrong:
        return failed("packages", "; ".join(wrong), installing(settings))
    return ok("packages", f"{len(wanted)} there, for the engine {settings.engine}{_pinned(wanted)}")


def check_gpu(settings: Settings, environment: Mapping[str, str]) -> Verdict:
    if not settings.reads_with_vl:
        return skipped("gpu", f"the engine {settings.engine} needs none")
    if settings.layout_device != "gpu" and not _is_here(settings.vl_server_url):
        return skipped("gpu", f"vLLM runs elsewhere, at {settings.vl_server_url}")
    program = shutil.which(_SMI, path=environment.get("PATH"))
    if program is None:
        return _no_gpu(settings)
    try:
        cards = _asked(program, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")
        return _judged(cards.strip().splitlines(), _asked(program))
    except (OSError, subprocess.SubprocessError) as error:
        return failed("gpu", f"{_SMI} does not work: {error}", "install NVIDIA's driver anew, and restart")


def _no_gpu(settings: Settings) -> Verdict:
    if settings.layout_device != "gpu" and _answers(settings.vl_server_url):
        return skipped("gpu", "none is seen here, and yet vLLM is there: in another container, or behind a tunnel")
    return failed(
        "gpu",
        f"no {_SMI} is on the PATH",
        "install NVIDIA's driver, or have VL_SERVER_URL lead to a machine that has a GPU; PAGEMILL_ENGINE=rapidocr "
        "reads on the CPU",
    )


def _judged(cards: list[str], overview: str) -> Verdict:
    """`cards` are lines of "NVIDIA L4, 550.54.15, 8.9"; `overview` names the CUDA that the driver is good for."""
    named = re.search(r"CUDA(?: \w+)? Version:\s*(\d+)\.(\d+)", overview)
    cuda = (int(named[1]), int(named[2])) if named else None
    good = [card for card in cards if _capability(card) >= COMPUTE_CAPABILITY]
    found = f"{'; '.join(cards) or 'no GPU'}; CUDA {_dotted(cuda) if cuda else 'unknown'}"
    if not good:
        return failed("gpu", found, f"vLLM needs compute capability {_dotted(COMPUTE_CAPABILITY)}: an L4 or newer")
    if cuda is None or cuda < CUDA:
        return failed("gpu", found, f"install a driver that is good for CUDA {_dotted(CUDA)} or later")
    return ok("gpu", found)


def _capability(card: str) -> tuple[int, ...]:
    named = re.search(r"(\d+)\.(\d+)\s*$", card)
    return (int(named[1]), int(named[2])) if named else (0, 0)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _asked(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True, timeout=_SMI_SECONDS)  # noqa: S603 - found on the PATH, with arguments of ours
    return done.stdout


def _is_here(url: str | None) -> bool:
    return urlsplit(url or "").hostname in _LOOPBACK | {socket.gethostname()}


def _answers(url: str | None) -> bool:
    parts = urlsplit(url or "")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def installing(settings: Settings) -> str:
    """Return the command that installs what engine and platform need."""
    extras = _extras(settings)
    named = f"[{','.join(extras)}]" if extras else ""
    return f"pip install 'pagemill{named}'"


def _extras(settings: Settings) -> list[str]:
    of_platform = "google" if settings.platform == "google" else None
    return [extra for extra in (_EXTRAS.get(settings.engine), of_platform) if extra]


def _is_installed() -> bool:
    try:
        metadata.version("pagemill")
    except metadata.PackageNotFoundError:
        return False
    return True


def _needs(extra: str) -> list[tuple[str, str | None]]:
    """What pagemill's own metadata asks for: each package, and its version where that is pinned."""
    found = []
    for line in metadata.requires("pagemill") or ():
        need, _, marker = line.partition(";")
        of = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if (of[1] if of else "") == extra and "sys_platform" not in marker:
            name = re.match(r"[\w.-]+", need)
            pin = re.search(r"==\s*([\w.]+)", need)
            assert name is not None
            found.append((name[0], pin[1] if pin else None))
    return found


def _wrong(name: str, pin: str | None) -> str:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    return f"{name} is {version}, not {pin}" if pin not in (None, version) else ""


def _pinned(wanted: list[tuple[str, str | None]]) -> str:
    pinned = [f"{name} {pin}" for name, pin in wanted if pin]
    return f", with {', '.join(pinned)}" if pinned else ""
