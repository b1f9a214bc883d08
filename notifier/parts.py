"""What the notifier is put together from, wherever it runs."""

import base64
import random

from notifier.deliver import Delivering
from notifier.hosts import HostCap
from shared.config import Settings
from shared.domain.secret import Secret
from shared.net.guard import Guard
from shared.sealing import Sealer
from shared.wiring import Platform

_A_HOST = 4
"""Callbacks under way to one host: half of what one process makes at once, so that a host that hangs never delays the
others."""


def delivering(platform: Platform, guard: Guard | None = None) -> Delivering:
    """`guard` is the policy on callback URLs, where there is one already: it is dear to build."""
    settings = platform.settings
    return Delivering(
        platform=platform,
        guard=guard or Guard(allowed=settings.fetch_allow, allow_http=settings.callback_allow_http),
        secrets=callback_secrets(settings, platform.sealer),
        hosts=HostCap(_A_HOST),
        chance=random.random,
    )


def callback_secrets(settings: Settings, sealer: Sealer) -> tuple[Secret, ...]:
    """The operator's secrets, or else one of this installation's own: no callback is ever unsigned."""
    if settings.callback_secret:
        return settings.callback_secret
    return (Secret("whsec_" + base64.b64encode(sealer.derived("callbacks")).decode()),)
