"""One sweep over everything that can be overdue: jobs, batches, uploads that nobody took, the cache."""

from collections.abc import Callable

from ingest_fn.inbox import Dropping
from ingest_fn.sweep import sweep
from ingest_fn.sweep_batches import sweep_batches
from ingest_fn.uploads import sweep_uploads
from shared.cache.erase import sweep_cache
from shared.consume import survived
from shared.parallel import at_once


def sweep_all(dropping: Dropping) -> bool:
    """All kinds at once: none waits behind another, and one's trouble is its own.

    False where there was any, and the next sweep tries again.
    """
    platform = dropping.platform
    kinds: dict[str, Callable[[], int]] = {
        "sweep": lambda: sweep(platform),
        "sweep-batches": lambda: sweep_batches(dropping),
        "sweep-uploads": lambda: sweep_uploads(platform),
        "sweep-cache": lambda: sweep_cache(platform),
    }

    def survives(name: str) -> bool:
        return survived(kinds[name], name, platform.metrics) is None

    return all(at_once(survives, list(kinds), most=len(kinds)))
