"""What every process does first: logs and spans go where the settings say."""

from shared.config import Settings
from shared.logs import set_up_logging
from shared.tracing import set_up_tracing


def observe(settings: Settings, *, service: str) -> None:
    """`service` names this process in its spans."""
    set_up_logging(settings.log_level, project=settings.project if settings.platform == "google" else None)
    if settings.traces_url:
        set_up_tracing(settings.traces_url, service=service)
