"""Three figures for how well a page was read: word recall, similarity, word order; each 0 to 1."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_TAG = re.compile(r"<!--.*?-->|</?[a-z][^>]*>", re.DOTALL)
_LINE_END_HYPHEN = re.compile(r"(?<=\w)[-\u2010]\s*\n\s*(?=\w)")
_HYPHEN = re.compile(r"[-\u2010\u2011\u00ad]")
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
"""A Chinese, Japanese or Korean character is a word; elsewhere a run of letters and digits is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`recall`: the share of the true words that were read, as multisets. `similarity`: 1 less the edit distance over
    the longer text, in words or in characters, whichever is worse. `order`: the longest common subsequence of the
    words that both texts have, over their number."""

    recall: float
    similarity: float
    order: float


def words(text: str) -> list[str]:
    """The text's words, compatibility forms, case and hyphens normalised, tags and comments dropped."""
    plain = _TAG.sub(" ", text)
    plain = _HYPHEN.sub("", _LINE_END_HYPHEN.sub("", unicodedata.normalize("NFKC", plain)))
    return _WORD.findall(plain.casefold())


def score(truth: str, read: str) -> Score:
    """Raises ValueError where the truth has no words."""
    expected, found = words(truth), words(read)
    if not expected:
        raise ValueError("the page has no words")
    common = Counter(expected) & Counter(found)
    by_words = _similarity(_codes(expected, found))
    by_characters = _similarity(_codes(list(" ".join(expected)), list(" ".join(found))))
    matched = common.total()
    ordered = _common_length(*_codes(_only(expected, common), _only(found, common)))
    return Score(
        recall=matched / len(expected),
        similarity=min(by_words, by_characters),
        order=ordered / matched if matched else 0.0,
    )


def _only(text: Sequence[str], common: Counter[str]) -> list[str]:
    """The words that both texts have; of a word too many, the first ones are kept."""
    left = common.copy()
    kept = []
    for word in text:
        if left[word] > 0:
            left[word] -= 1
            kept.append(word)
    return kept


Codes = npt.NDArray[np.int64]


def _codes(first: Sequence[str], second: Sequence[str]) -> tuple[Codes, Codes]:
    numbers: dict[str, int] = {}
    for token in (*first, *second):
        numbers.setdefault(token, len(numbers))
    return np.array([numbers[t] for t in first], dtype=np.int64), np.array([numbers[t] for t in second], dtype=np.int64)


def _similarity(texts: tuple[Codes, Codes]) -> float:
    first, second = texts
    longer = max(len(first), len(second))
    return 1.0 - _distance(first, second) / longer if longer else 1.0


def _distance(first: Codes, second: Codes) -> int:
    """Levenshtein's distance, a row at a time: insertions are a running minimum once positions are taken off."""
    positions = np.arange(len(second) + 1)
    row = positions.copy()
    for number, token in enumerate(first, 1):
        above = np.minimum(row[1:] + 1, row[:-1] + (second != token))
        row = np.minimum.accumulate(np.concatenate(([number], above)) - positions) + positions
    return int(row[-1])


def _common_length(first: Codes, second: Codes) -> int:
    """The length of the longest common subsequence."""
    row = np.zeros(len(second) + 1, dtype=np.int64)
    for token in first:
        best = np.maximum(row[1:], row[:-1] + (second == token))
        row = np.maximum.accumulate(np.concatenate(([0], best)))
    return int(row[-1])
