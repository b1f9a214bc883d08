"""`python -m gpu_worker.engines.warm`: fetches the layout models, for an image to hold them."""

import os
import sys

from shared.config import SettingsError, read_settings


def main() -> None:
    # Imported where it is needed: only the image has the library.
    from gpu_worker.engines.vl.library import Library  # noqa: PLC0415

    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    library = Library(settings)
    missing = [
        name for name, there in (("orientation", library.can_turn), ("unwarping", library.can_unwarp)) if not there
    ]
    if missing:
        sys.exit(f"models not fetched: {', '.join(missing)}")


if __name__ == "__main__":
    main()
