"""`python -m gpu_worker`: what the worker's container runs."""

import logging
import os
import sys

from gpu_worker.main import work
from shared.config import SettingsError, read_settings
from shared.observe import observe


def main() -> None:
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    observe(settings, service="worker")
    work(settings, ready=lambda: logging.getLogger(__name__).info("the worker takes pages"))


if __name__ == "__main__":
    main()
