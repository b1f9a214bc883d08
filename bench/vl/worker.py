"""A worker as its container runs it, that says on its standard output when it takes pages."""

import os

from gpu_worker.main import work
from shared.config import read_settings
from shared.observe import observe

if __name__ == "__main__":
    settings = read_settings(os.environ)
    observe(settings, service="worker")
    work(settings, ready=lambda: print("ready", flush=True))
