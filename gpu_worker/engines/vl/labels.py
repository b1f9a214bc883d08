"""What PP-DocLayout calls a block, and what it is called here."""

from collections.abc import Mapping

from shared.domain.page import Label

LABELS: Mapping[str, Label] = {
    "abstract": Label.TEXT,
    "algorithm": Label.CODE,
    "aside_text": Label.ASIDE,
    "chart": Label.CHART,
    "content": Label.TEXT,  # a table of contents
    "display_formula": Label.FORMULA,
    "doc_title": Label.TITLE,
    "figure_title": Label.CAPTION,
    "footer": Label.FOOTER,
    "footer_image": Label.FOOTER,
    "footnote": Label.FOOTNOTE,
    "formula": Label.FORMULA,
    "formula_number": Label.FORMULA_NUMBER,
    "header": Label.HEADER,
    "header_image": Label.HEADER,
    "image": Label.FIGURE,
    "inline_formula": Label.FORMULA,
    "number": Label.PAGE_NUMBER,
    "paragraph_title": Label.HEADING,
    "reference": Label.TEXT,
    "reference_content": Label.TEXT,
    "seal": Label.SEAL,
    "table": Label.TABLE,
    "text": Label.TEXT,
    "vertical_text": Label.TEXT,
    "vision_footnote": Label.CAPTION,
}
"""Of PP-DocLayoutV2 and V3, under both names that their releases give to formulas and to upright text.

The logo in a running head is the head's: as a figure it would stand on every page. A note below a figure belongs to
the figure, as its caption does; the page's own footnotes are shown when asked for.
"""


def label_of(name: str) -> Label:
    """Text, where the model has learnt a class that this version doesn't know: it is read and shown, not dropped."""
    return LABELS.get(name, Label.TEXT)
