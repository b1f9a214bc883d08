"""Which of Google's services are emulated here: the SDKs find the emulators by these variables."""

import os

PUBSUB = "PUBSUB_EMULATOR_HOST"
STORAGE = "STORAGE_EMULATOR_HOST"


def emulator(variable: str) -> str | None:
    """Return where the emulator is; None where the service itself is meant."""
    return os.environ.get(variable) or None
