"""Which URLs of strangers may be used, under the settings' policy."""

from shared.config import Settings
from shared.net.guard import Guard


def guards(settings: Settings) -> tuple[Guard, Guard]:
    """Return the guard of sources and the guard of callbacks; they share the authorities, which are dear to load."""
    sources = Guard(allowed=settings.fetch_allow)
    callbacks = Guard(allowed=settings.fetch_allow, allow_http=settings.callback_allow_http, tls=sources.tls)
    return sources, callbacks
