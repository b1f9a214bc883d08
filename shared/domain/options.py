"""What a caller may ask of a reading, and the recipe: the part of it that changes pixels or recognition."""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

MIN_DPI = 36
MAX_DPI = 600


class Lane(StrEnum):
    """Express pages take a free slot before bulk ones."""

    EXPRESS = "express"
    BULK = "bulk"


class Tables(StrEnum):
    HTML = "html"
    MARKDOWN = "markdown"


class Extra(StrEnum):
    """Blocks that are read always and shown only when asked for."""

    HEADER = "header"
    FOOTER = "footer"
    FOOTNOTE = "footnote"
    PAGE_NUMBER = "page_number"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`dpi` None is the engine's own. The first six enter the recipe; the rest is applied when Markdown is made."""

    dpi: int | None = None
    orientation: bool = True
    unwarp: bool = False
    charts: bool = False
    seals: bool = False
    formula_numbers: bool = False
    tables: Tables = Tables.HTML
    include: frozenset[Extra] = frozenset()
    page_markers: bool = True
    cache: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What identifies an engine's readings: a change of any field is another reading.

    `revision` changes with the model or the library behind the engine; `dpi` is what it reads best at.
    """

    name: str
    revision: str
    dpi: int


def recipe(engine: EngineSettings, options: Options) -> str:
    """16 hex digits that differ whenever pixels or recognition may differ."""
    parts = {
        "engine": asdict(engine) | {"dpi": options.dpi or engine.dpi},
        "orientation": options.orientation,
        "unwarp": options.unwarp,
        "charts": options.charts,
        "seals": options.seals,
        "formula_numbers": options.formula_numbers,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
