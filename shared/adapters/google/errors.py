"""What Google's SDKs raise, turned into our errors: here, and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import requests
import urllib3
from google.api_core.exceptions import GoogleAPIError, InvalidArgument
from google.auth.exceptions import GoogleAuthError

from shared.domain.errors import PagemillError, Unavailable

_UNANSWERED = (
    GoogleAPIError,
    GoogleAuthError,
    grpc.RpcError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)


class NotAccepted(PagemillError):
    """What was asked for makes no sense to Google: a mistake of ours, which trying again does not mend."""

    code = "not_accepted"


@contextmanager
def google_errors(what: str) -> Iterator[None]:
    """Raise Unavailable, with its cause, where Google does not do what it was asked for: it is down, late or refuses.

    Raises NotAccepted where it does not understand the question, or finds a record too large.
    """
    try:
        yield
    except InvalidArgument as error:
        raise NotAccepted(what) from error
    except _UNANSWERED as error:
        raise Unavailable(f"{what}: {type(error).__name__}") from error
