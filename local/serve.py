"""`pagemill serve` and `pagemill worker`: long-running processes on one data folder."""

import signal
import socket
import time
from types import FrameType

import click
import uvicorn

from gpu_worker.engines import engine
from gpu_worker.worker import Worker
from ingest_fn.api import api
from local.system import System, sandbox
from shared.config import Settings
from shared.wiring import embedded

_GRACE_SECONDS = 3
_WORKER_GRACE_SECONDS = 10.0


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


def work(settings: Settings) -> None:
    """One more worker beside a server on the same data folder, until SIGINT or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    opened = embedded(settings, base_url=settings.public_url or f"http://{settings.host}:{settings.port}")
    renderer = sandbox(settings)
    worker = Worker(opened.platform, renderer, engine(settings))
    worker.start()
    click.echo(f"pagemill works on {settings.data}")
    try:
        while True:
            time.sleep(1.0)
    except KeyboardInterrupt:
        pass
    finally:
        worker.stop(grace=_WORKER_GRACE_SECONDS)
        opened.platform.bus.close()
        renderer.close()
        opened.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
