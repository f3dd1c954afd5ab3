"""Which sentinels came back, as the probe of a drill says it in one line, or as they were read. Pure.

    newest=812 count=809 digest=<sha256> found=5f0c2a11:1-640,644-812

Of a text that would be too long the oldest numbers are left out, and it begins with `~`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from dr.sentinels.record import digest

_WORDS = re.compile(
    r"newest=(?P<newest>\d+) count=(?P<count>\d+) digest=(?P<digest>[0-9a-f]{64}) found=(?P<found>\S*)"
)
Span = tuple[int, int]  # first and last number


@dataclass(frozen=True)
class Found:
    """The numbers that came back, by writer, as spans in their order."""

    spans: Mapping[str, tuple[Span, ...]]
    count: int
    digest: str
    is_whole: bool = True  # False: the oldest numbers were left out

    def has(self, writer: str, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self.spans.get(writer, ()))

    def numbers(self, writer: str) -> set[int]:
        """All numbers of the writer."""
        spans = self.spans.get(writer, ())
        return {seq for first, last in spans for seq in range(first, last + 1)}


def of_words(saw: str) -> Found | None:
    """What a probe has seen; None when it could not read."""
    told = _WORDS.search(saw)
    if told is None:
        return None
    text = told["found"]
    spans: dict[str, tuple[Span, ...]] = {}
    for part in filter(None, text.removeprefix("~").split(";")):
        writer, _, numbers = part.partition(":")
        spans[writer] = tuple(_span(one) for one in numbers.split(",") if one)
    return Found(spans, int(told["count"]), told["digest"], not text.startswith("~"))


def of_records(records: Iterable[tuple[str, int, str]]) -> Found:
    """Out of (writer, number, code) of each record that was read."""
    known = set(records)
    by_writer: dict[str, set[int]] = {}
    for writer, seq, _ in known:
        by_writer.setdefault(writer, set()).add(seq)
    spans = {writer: _spans(numbers) for writer, numbers in by_writer.items()}
    count = sum(len(numbers) for numbers in by_writer.values())
    return Found(spans, count, digest(known))


def _span(text: str) -> Span:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _spans(numbers: Iterable[int]) -> tuple[Span, ...]:
    ordered = sorted(numbers)
    if not ordered:
        return ()
    breaks = [(before, after) for before, after in pairwise(ordered) if after != before + 1]
    firsts = [ordered[0], *(after for _, after in breaks)]
    lasts = [*(before for before, _ in breaks), ordered[-1]]
    return tuple(zip(firsts, lasts, strict=True))
