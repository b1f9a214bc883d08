"""Several objects at once: each takes a round trip, or a sync of the disk, and none needs to wait for another's."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from shared.ports.objects import ObjectStore

_AT_ONCE = 8


def create_all(objects: ObjectStore, data: Mapping[str, bytes]) -> None:
    """Create each of the objects that is not there yet; return when all are. Raises what `create` raises."""
    if len(data) == 1:
        ((name, content),) = data.items()
        objects.create(name, content)
        return
    with ThreadPoolExecutor(min(len(data), _AT_ONCE)) as threads:
        for created in [threads.submit(objects.create, name, content) for name, content in data.items()]:
            created.result()
