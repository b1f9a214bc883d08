"""The parts of the system as it runs on Google Cloud: functions, workers, and what stands in for Google's triggers."""

import http.client
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.emulators import HOST, answer
from local.processes import Command, Process
from local.supervisor import Part

ROOT = Path(__file__).parents[1]
"""Where main.py lies, which the functions are served from."""

FUNCTIONS = ("submit", "drop", "prepare", "notify", "sweep")

_WORKS, _RELAYS = "pagemill works on", "pagemill relays"
_SWEEP_SECONDS = "1"
_ANSWER_SECONDS = 1.0
_FEEDING, _SERVING, _WORKING = range(3)
"""The stages of stopping: nothing new comes in, then what is under way ends, then pages are handed back."""

_FRAMEWORK = frozenset(
    {"DEBUG", "FUNCTION_SOURCE", "FUNCTION_SIGNATURE_TYPE", "FUNCTION_USE_ASGI", "GUNICORN_CMD_ARGS"}
)
"""Of the user's environment, what functions-framework and its server would take for theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`environment` is that of every part, `ports` has one for each of FUNCTIONS."""

    environment: Mapping[str, str]
    ports: Mapping[str, int]
    events: str
    workers: int

    def url(self, function: str) -> str:
        return f"http://{HOST}:{self.ports[function]}"

    def all(self) -> list[Part]:
        """Return them in the order in which they are started: what takes longest first."""
        return [
            *(self._worker(number) for number in range(1, self.workers + 1)),
            *(self._function(name) for name in FUNCTIONS),
            self._python("ticker", "local.ticker", self.url("sweep"), _SWEEP_SECONDS, is_ready=lambda _: True),
            self._python("relay", "local.relay", self.events, self.url("drop"), is_ready=_says(_RELAYS)),
        ]

    def _function(self, name: str) -> Part:
        clean = {key: value for key, value in self.environment.items() if key not in _FRAMEWORK}
        port = self.ports[name]
        arguments = [sys.executable, "-m", "functions_framework", "--host", HOST, "--port", str(port)]
        # Its name is told as on Google Cloud, where no argument tells it.
        environment = clean | {"FUNCTION_TARGET": name, "WORKERS": "1"}
        command = Command(name=name, arguments=arguments, environment=environment, folder=ROOT)
        is_ready = _is_healthy(port) if name == "submit" else _answers(port)
        return Part(command=command, is_ready=is_ready, stage=_SERVING)

    def _worker(self, number: int) -> Part:
        arguments = [sys.executable, "-m", "local", "worker"]
        command = Command(name=f"worker-{number}", arguments=arguments, environment=self.environment, folder=ROOT)
        return Part(command=command, is_ready=_says(_WORKS), stage=_WORKING)

    def _python(self, name: str, module: str, *arguments: str, is_ready: Callable[[Process], bool]) -> Part:
        whole = [sys.executable, "-m", module, *arguments]
        command = Command(name=name, arguments=whole, environment=self.environment, folder=ROOT)
        return Part(command=command, is_ready=is_ready, stage=_FEEDING)


def _says(words: str) -> Callable[[Process], bool]:
    return lambda process: words in process.said()


def _is_healthy(port: int) -> Callable[[Process], bool]:
    return lambda _: answer(port, "/health", seconds=_ANSWER_SECONDS) == http.client.OK


def _answers(port: int) -> Callable[[Process], bool]:
    """The framework itself answers this path, and bothers the function with nothing."""
    return lambda _: answer(port, "/robots.txt", seconds=_ANSWER_SECONDS) is not None
