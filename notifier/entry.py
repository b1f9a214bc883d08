"""How functions-framework serves the notifier: `functions-framework --target notify`, pushed to by Pub/Sub."""

import os
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from shared.functions import AtStart, opened_function, target

if TYPE_CHECKING:
    from shared.push import PushEnd


@target
async def notify(request: Request) -> Response:
    """A round ended: tell whoever is to be told."""
    from shared.push import take_push  # noqa: PLC0415 - this target's alone

    return await take_push(request, await _end.there())


def _built() -> "PushEnd":
    # What only this target needs is imported when it starts.
    from notifier.deliver import deliver  # noqa: PLC0415
    from notifier.parts import delivering  # noqa: PLC0415
    from shared.domain.messages import Message, RoundEnded, Topic  # noqa: PLC0415
    from shared.push import push_end  # noqa: PLC0415

    platform = opened_function(os.environ, name="notify").platform
    parts = delivering(platform)

    def handle(message: Message) -> None:
        if isinstance(message, RoundEnded):
            deliver(message, parts)

    return push_end(platform, Topic.OUTCOMES, handle)


_end = AtStart("notify", _built)
