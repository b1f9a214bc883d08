"""`python -m local.relay NAME URL`: carries the inbox's events to a function; stands in for Eventarc."""

import logging
import os
import sys
import time

from shared.adapters.google.relay import connected_relay
from shared.config import read_settings
from shared.domain.errors import Unavailable
from shared.logs import set_up_logging

READY = "pagemill relays"
_PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


def main() -> None:
    """May be killed at any moment: what it has not answered for comes again, and functions know what they know."""
    name, url = sys.argv[1:]
    settings = read_settings(os.environ)
    set_up_logging(settings.log_level)
    relay = connected_relay(project=settings.project, name=name, url=url)
    print(READY, flush=True)  # noqa: T201 - whoever started it waits for this line
    while True:
        try:
            relay.step()
        except Unavailable as error:
            log.warning("no events", extra={"reason": str(error)})
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
