"""Heading levels over a whole document: by their numbers, by the engine where it agrees with itself, by their size."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import median

from shared.domain.joins import Pages
from shared.domain.measures import text_height
from shared.domain.numbering import Number, Series, numbers
from shared.domain.page import Block, Label

TITLE_LEVEL, TOP, DEEPEST = 1, 2, 6
"""The first level is the title's alone; Markdown has six."""

SIZE_WAVERS = 1.15
"""Type of one size differs by so much in its detected height."""

SUBTITLE = 0.8
"""A later title so much smaller than the first is a heading."""

SELDOM = 0.25
"""A level that an engine gave to fewer headings of one size is an error of the page that it looked at."""

_LEAST = 1e-6
"""A box may be empty; a logarithm's argument may not."""

_UNNUMBERED_TOP = frozenset({
    "abstract", "acknowledgement", "acknowledgements", "acknowledgment", "acknowledgments", "appendices", "appendix",
    "bibliography", "conclusion", "conclusions", "contents", "discussion", "foreword", "glossary", "index",
    "introduction", "preface", "references", "summary", "tableofcontents",
    "anhang", "danksagung", "einleitung", "inhalt", "inhaltsverzeichnis", "literatur", "literaturverzeichnis",
    "vorwort", "zusammenfassung",
    "annexe", "annexes", "avant-propos", "bibliographie", "références", "remerciements", "résumé", "sommaire",
    "agradecimientos", "bibliografía", "índice", "referencias", "resumen",
    "前言", "参考文献", "參考文獻", "引言", "摘要",
    "目录", "目錄", "结论", "結論", "绪论", "緒論", "致谢", "致謝", "附录", "附錄",
})  # fmt: skip
"""What stands beside the chapters and has no number."""


@dataclass(frozen=True, slots=True)
class _Heading:
    place: tuple[int, int]
    block: Block
    height: float
    number: Number | None


def heading_levels(pages: Pages) -> Mapping[tuple[int, int], int]:
    """The level of each title and heading, by its page's number and its place among the page's blocks."""
    found = list(_headings(pages))
    titles = _titles(found)
    headings = [heading for heading in found if heading.place not in titles]
    levels = dict.fromkeys(titles, TITLE_LEVEL)
    levels.update(_numbered_levels([heading for heading in headings if heading.number]))
    unnumbered = [heading for heading in headings if not heading.number]
    return levels | dict(_unnumbered_levels(unnumbered, headings, levels))


def _headings(pages: Pages) -> Iterator[_Heading]:
    found = [
        (number, index, block, read)
        for number, read in pages
        if read is not None
        for index, block in enumerate(read.blocks)
        if block.label in {Label.TITLE, Label.HEADING} and block.content.strip()
    ]
    series = numbers(block.content for _, _, block, _ in found)
    for (number, index, block, read), section in zip(found, series, strict=True):
        yield _Heading((number, index), block, text_height(block, read), section)


def _titles(headings: Sequence[_Heading]) -> list[tuple[int, int]]:
    """The first title, and those like it: an engine that looks at one page takes its largest heading for a title."""
    taken: defaultdict[Series, set[str]] = defaultdict(set)
    for number in (heading.number for heading in headings if heading.number):
        taken[number.series].add(number.text)
    titles = [
        heading
        for heading in headings
        if heading.block.label is Label.TITLE and not (heading.number and _is_taken_up(heading.number, taken))
    ]
    if not titles:
        return []
    least = SUBTITLE * titles[0].height
    later = [title.place for title in titles[1:] if title.number is None and title.height >= least]
    return [titles[0].place, *later]


def _is_taken_up(title: Number, taken: Mapping[Series, set[str]]) -> bool:
    """Whether others go on where a title's number stands: not "10 years of paper", if only "1 Rags" follows."""
    if title.series is not Series.DECIMAL:
        return len(taken[title.series]) > 1
    *above, last = title.text.split(".")
    beside = {".".join([*above, str(int(last) + step)]) for step in (-1, 1)} if last.isdecimal() else set()
    return not taken[title.series].isdisjoint({*beside, f"{title.text}.1"})


def _given(heading: _Heading) -> int | None:
    """The level that an engine gave to a heading; a title's is none, once it is taken for a heading."""
    return heading.block.level if heading.block.label is Label.HEADING else None


def _numbered_levels(headings: Sequence[_Heading]) -> Mapping[tuple[int, int], int]:
    ranks = _ranks([heading.number for heading in headings if heading.number])
    levels = {heading.place: ranks[_rank_of(heading)] for heading in headings}
    return {heading.place: _clipped(_given(heading)) for heading in headings} if _agree(headings, levels) else levels


def _rank_of(heading: _Heading) -> tuple[Series, int]:
    assert heading.number is not None
    return heading.number.series, heading.number.depth


def _agree(headings: Sequence[_Heading], levels: Mapping[tuple[int, int], int]) -> bool:
    """Whether an engine gave one level to each rank, and a deeper one to each deeper rank."""
    given: defaultdict[int, set[int | None]] = defaultdict(set)
    for heading in headings:
        given[levels[heading.place]].add(_given(heading))
    each = [given[level] for level in sorted(given)]
    if any(len(levels_of_rank) != 1 or None in levels_of_rank for levels_of_rank in each):
        return False
    order = [level for levels_of_rank in each for level in levels_of_rank if level is not None]
    return all(upper < lower for upper, lower in pairwise(order))


def _ranks(found: Sequence[Number]) -> Mapping[tuple[Series, int], int]:
    """The level of each series and depth: named series first, then each series below those that began before it."""
    ranks: dict[tuple[Series, int], int] = {}
    free = TOP
    for series in _in_order(found):
        depths = [number.depth for number in found if number.series is series]
        shift = free - min(depths)
        if series is Series.DECIMAL:
            shift = max(shift, _decimal_start(ranks, min(depths), free) - 1)
        if series is Series.LETTER and _are_appendices(found):
            ranks[series, 1] = ranks[Series.DECIMAL, 1]
            continue
        ranks.update({(series, depth): _clipped(shift + depth) for depth in depths})
        free = shift + max(depths) + 1
    ranks[Series.APPENDIX, 1] = _beside_appendices(ranks)
    return ranks


def _beside_appendices(ranks: Mapping[tuple[Series, int], int]) -> int:
    """The chapters' level, or the uppermost below the parts."""
    below_parts = [level for (series, _), level in ranks.items() if series is not Series.PART]
    return ranks.get((Series.CHAPTER, 1)) or min(below_parts, default=TOP)


def _in_order(found: Sequence[Number]) -> list[Series]:
    seen = list(dict.fromkeys(number.series for number in found))
    named = [series for series in (Series.PART, Series.CHAPTER, Series.SECTION) if series in seen]
    return [*named, *(series for series in seen if series not in {*named, Series.APPENDIX})]


def _decimal_start(ranks: Mapping[tuple[Series, int], int], least: int, free: int) -> int:
    """The level of depth 1: a chapter's where "1.1" stands below it, else the next that is free."""
    return ranks.get((Series.CHAPTER, 1), free) if least > 1 else free


def _are_appendices(found: Sequence[Number]) -> bool:
    """Letters after the last whole number, where sections are divided by decimals."""
    places = [index for index, number in enumerate(found) if number.series is Series.DECIMAL and number.depth == 1]
    letters = [index for index, number in enumerate(found) if number.series is Series.LETTER]
    divided = any(number.series is Series.DECIMAL and number.depth > 1 for number in found)
    return bool(places) and divided and max(places) < min(letters)


def _unnumbered_levels(
    headings: Sequence[_Heading], every: Sequence[_Heading], levels: Mapping[tuple[int, int], int]
) -> Iterator[tuple[tuple[int, int], int]]:
    sizes = _sizes_of_levels([heading for heading in every if heading.place in levels], levels)
    for rank, alike in enumerate(_by_size(headings)):
        given = Counter(level for heading in alike if (level := _given(heading)) is not None)
        by_size = _nearest(median(heading.height for heading in alike), sizes) or TOP + rank
        for heading in alike:
            beside = TOP if _is_top(heading) else by_size
            yield heading.place, _clipped(_kept(_given(heading), given) or beside)


def _kept(level: int | None, given: Counter[int]) -> int | None:
    """The engine's own level, or what it calls others of this size, where it calls few of them so."""
    if not given:
        return None
    usual = min(given, key=lambda each: (-given[each], each))
    return usual if level is None or given[level] < SELDOM * given.total() else level


def _is_top(heading: _Heading) -> bool:
    return "".join(heading.block.content.split()).strip(":.\uff1a").lower() in _UNNUMBERED_TOP


def _sizes_of_levels(headings: Sequence[_Heading], levels: Mapping[tuple[int, int], int]) -> Mapping[int, float]:
    heights: defaultdict[int, list[float]] = defaultdict(list)
    for heading in headings:
        heights[levels[heading.place]].append(heading.height)
    return {level: median(each) for level, each in sorted(heights.items())}


def _nearest(height: float, sizes: Mapping[int, float]) -> int | None:
    """The level of the numbered headings of its size; above or below all of them where it is larger or smaller."""
    if not sizes:
        return None
    nearest = min(sizes, key=lambda level: abs(log(max(height, _LEAST) / max(sizes[level], _LEAST))))
    if height > SIZE_WAVERS * max(sizes.values()):
        return max(TOP, min(sizes) - 1)
    if height * SIZE_WAVERS < min(sizes.values()):
        return max(sizes) + 1
    return nearest


def _by_size(headings: Sequence[_Heading]) -> Iterator[list[_Heading]]:
    """Classes of size, the largest first: a gap between two heights that is wider than one size wavers divides them."""
    alike: list[_Heading] = []
    for heading in sorted(headings, key=lambda each: -each.height):
        if alike and heading.height * SIZE_WAVERS < alike[-1].height:
            yield alike
            alike = []
        alike.append(heading)
    if alike:
        yield alike


def _clipped(level: int | None) -> int:
    return min(max(level or TOP, TITLE_LEVEL), DEEPEST)
