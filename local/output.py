"""What `pagemill convert` writes: every file whole or not at all, the Markdown last."""

import os
import tempfile
from pathlib import Path

from shared.domain.document import linked_images
from shared.domain.job import Job
from shared.layout import image_object, result_json, result_markdown
from shared.ports.objects import ObjectStore


def write_folder(job: Job, objects: ObjectStore, folder: Path) -> Path:
    """Write images/, result.json and result.md below `folder`; return the Markdown's path. Raises OSError."""
    markdown = objects.read(result_markdown(job.id, job.round))
    for name in linked_images(markdown.decode()):
        _write(folder / name, objects.read(image_object(job.id, name)))
    _write(folder / "result.json", objects.read(result_json(job.id, job.round)))
    _write(folder / "result.md", markdown)
    return folder / "result.md"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
