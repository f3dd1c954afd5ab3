"""The bulletin as one HTML page that needs nothing else: for the browser, for paper, and for the PDF."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tenants.bulletin import tables
from tenants.bulletin.content import Bulletin, Line
from tenants.bulletin.telling import Telling
from tenants.bulletin.values import Kind, shown
from tenants.bulletin.wording import CHINESE, Wording

FULL = 10_000  # 100 % in hundredths of a percent
BAR_WIDTH = 200  # of the drawing, in its own units
_ALIGNED = {Kind.NUMBER: "number", Kind.SYSTEMS: "number", Kind.RATE: "number", Kind.POINTS: "number"}
_HEAD_WIDTH_PT, _HEAD_MOST_PT = 440, 34  # the red line on top is as large as it can be in one line


@dataclass(frozen=True)
class Bar:
    """A rate as it is drawn, in units of the drawing: reported, verified in it, and the target's line."""

    reported: str
    verified: str
    goal: str | None
    is_behind: bool

    @classmethod
    def of(cls, line: Line) -> "Bar":
        goal = line.goal.value if line.goal is not None else None
        return cls(
            _length(line.rate or 0),
            _length(line.verified_rate or 0),
            None if goal is None else _length(goal),
            line.is_behind,
        )


def render(bulletin: Bulletin, language: str = CHINESE) -> str:
    """The page, whole: style inside, no script, nothing from elsewhere."""
    words = Wording(bulletin, language)
    return (
        _templates()
        .get_template("bulletin.html")
        .render(
            bulletin=bulletin,
            words=words,
            telling=Telling(bulletin, words),
            _=words.to,
            head_pt=_head_size(words.masthead()),
            summary=tables.summary(bulletin, words),
            ranking=tables.ranking(bulletin, words),
            late=tables.late(bulletin, words),
            idle=tables.idle(bulletin, words),
            changes=tables.changes(bulletin, words),
            units=tables.units(bulletin, words),
            method=tables.method(bulletin, words),
        )
    )


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(shown=shown, bar=Bar.of, bar_width=BAR_WIDTH, kinds=Kind)
    made.filters.update(aligned=lambda kind: _ALIGNED.get(kind, kind))
    return made


def _length(hundredths: int) -> str:
    """A rate as a length of the drawing, cut off."""
    tenths = min(hundredths, FULL) * BAR_WIDTH * 10 // FULL
    return f"{tenths // 10}.{tenths % 10}"


def _head_size(text: str) -> int:
    """The size in points at which the text fits into one line; never so small that nobody reads it."""
    ems = sum(0.6 if letter.isascii() else 1.0 for letter in text)
    return max(16, min(_HEAD_MOST_PT, int(_HEAD_WIDTH_PT / ems)))
