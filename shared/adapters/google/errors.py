"""What Google's SDKs raise, turned into our errors: here, and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import requests
import urllib3
from google.api_core.exceptions import GoogleAPIError, InvalidArgument
from google.auth.exceptions import GoogleAuthError

from shared.domain.errors import Unavailable

_UNANSWERED = (
    GoogleAPIError,
    GoogleAuthError,
    grpc.RpcError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)


@contextmanager
def google_errors(what: str) -> Iterator[None]:
    """Raise Unavailable, with its cause, where Google does not do what it was asked for: it is down, late or refuses.

    InvalidArgument passes through: that is a mistake of ours, which trying again does not mend.
    """
    try:
        yield
    except InvalidArgument:
        raise
    except _UNANSWERED as error:
        raise Unavailable(f"{what}: {type(error).__name__}") from error
