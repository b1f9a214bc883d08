"""`python -m tests.worker_that_dies FOLDER WIDTH`: a worker whose process is killed by every page of this width."""

import sys
import time
from pathlib import Path

from gpu_worker.worker import Worker
from shared.config import Settings
from shared.pdf.sandbox import Sandbox
from shared.wiring import embedded
from tests.engines import ScriptedEngine, killing


def main() -> None:
    folder, width = Path(sys.argv[1]), int(sys.argv[2])
    platform = embedded(Settings(data=folder, engine="null"), base_url="http://127.0.0.1").platform
    worker = Worker(platform, Sandbox(), ScriptedEngine(killing(width)))
    worker.start()
    while True:
        time.sleep(1)


main()
