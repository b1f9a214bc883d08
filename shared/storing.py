"""Several objects at once: each takes a round trip, or a sync of the disk, and none needs to wait for another's."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from shared.parallel import at_once
from shared.ports.objects import ObjectStore

_CREATED_AT_ONCE, _LINKED_AT_ONCE = 8, 16


def create_all(objects: ObjectStore, data: Mapping[str, bytes]) -> None:
    """Create each of the objects that is not there yet; return when all are. Raises what `create` raises."""
    at_once(lambda item: objects.create(*item), list(data.items()), most=_CREATED_AT_ONCE)


def link_all(names: Sequence[str], ttl: timedelta, objects: ObjectStore) -> list[str]:
    """Return a link to each of the objects, as `link` does; where a service signs them, each is a call to it."""
    return at_once(lambda name: objects.link(name, ttl), names, most=_LINKED_AT_ONCE)
