"""One sweep over everything that can be overdue: jobs, batches, uploads that nobody took."""

from ingest_fn.inbox import Dropping
from ingest_fn.sweep import sweep
from ingest_fn.sweep_batches import sweep_batches
from ingest_fn.uploads import sweep_uploads
from shared.consume import survived


def sweep_all(dropping: Dropping) -> bool:
    """One kind's trouble is its own; False where there was any, and the next sweep tries again."""
    platform = dropping.platform
    kinds = {
        "sweep": lambda: sweep(platform),
        "sweep-batches": lambda: sweep_batches(dropping),
        "sweep-uploads": lambda: sweep_uploads(platform),
    }
    obstacles = [survived(act, name, platform.metrics) for name, act in kinds.items()]
    return not any(obstacles)
