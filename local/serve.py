"""`pagemill serve`: everything in one process, on one data folder."""

import signal
import socket
from types import FrameType

import click
import uvicorn

from ingest_fn.api import api
from local.system import System
from shared.config import Settings

_GRACE_SECONDS = 3


def serve(settings: Settings) -> None:
    """API, prepare, worker, notifier and sweep in one process, until SIGINT or SIGTERM. Raises OSError for the port."""
    signal.signal(signal.SIGTERM, _interrupt)
    with socket.create_server((settings.host, settings.port)) as listener:
        base_url = settings.public_url or _address(listener)
        system = System(settings, base_url=base_url)
        system.start()
        try:
            click.echo(f"pagemill serves on {base_url}")
            config = uvicorn.Config(
                api(system.context), log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS
            )
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            pass  # uvicorn has ended its connections, and passes the signal on
        finally:
            system.stop()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
