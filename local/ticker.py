"""`python -m local.ticker URL SECONDS`: posts to a function again and again; stands in for Cloud Scheduler."""

import http.client
import sys
import time
from urllib.parse import urlsplit

_POST_SECONDS = 60.0


def main() -> None:
    """A tick that takes long delays the next, for a minute: like the scheduler, it waits no longer for an answer."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    said = ""
    while True:
        answer = _ticked(url)
        if answer != said:
            print(answer, flush=True)  # noqa: T201 - this is its log
            said = answer
        time.sleep(seconds)


def _ticked(url: str) -> str:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=_POST_SECONDS)
    try:
        connection.request("POST", where.path or "/", b"")
        return f"{url} answers {connection.getresponse().status}"
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {type(error).__name__}"
    finally:
        connection.close()


if __name__ == "__main__":
    main()
