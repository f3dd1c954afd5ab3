"""A report as one HTML page that needs nothing else: for the browser, for paper, and for the PDF.

The sealed report itself is in the page, so that the page alone can be checked (`dr.reports.sealing`).
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cloudctl.clock import BEIJING
from cloudctl.texts import office_words, translator
from dr.reports import whys
from dr.reports.levels import Levels
from dr.reports.levels_file import table

CHINESE, ENGLISH = "zh", "en"
_NUMBERS = "一二三四五六七八九十"
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3600, 60
_SAW_MOST = 90


class Wording:
    """Puts figures and stored values into the words of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._translate = translator(language)
        self.word = office_words(language)

    def to(self, template: str, **params: object) -> str:
        """The template in this language, filled in."""
        said = self._translate(template)
        return said.format(**params) if params else said

    def why(self, text: str) -> str:
        """Why it ended so, as far as the words are known."""
        return whys.said(text, self._translate)

    def numbered(self, number: int, title: str) -> str:
        """The heading of a section."""
        return f"{_NUMBERS[number - 1]}、{title}" if self.language == CHINESE else f"{number}. {title}"

    def moment(self, text: str | None) -> str:
        """A time in Beijing's zone, to the second."""
        if not text:
            return "—"
        return f"{datetime.fromisoformat(text).astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"

    def day(self, text: str | None) -> str:
        """A day as it stands under a letter: 2026年11月26日."""
        if not text:
            return "—"
        at = datetime.fromisoformat(text).astimezone(BEIJING)
        return self.to("{month}/{day}/{year}", year=at.year, month=at.month, day=at.day)

    def span(self, seconds: float | None) -> str:
        """A length of time, rounded up: to a thousandth below a second, to a hundredth below a minute, above
        to the second."""
        if seconds is None:
            return "—"
        if (short := _up(seconds, 3 if seconds < 1 else 2)) < _MINUTE_S:
            return self.to("{count} s", count=f"{short:g}")
        days, rest = divmod(math.ceil(round(seconds, 3)), _DAY_S)
        hours, rest = divmod(rest, _HOUR_S)
        minutes, rest = divmod(rest, _MINUTE_S)
        counted = (("{count} d", days), ("{count} h", hours), ("{count} min", minutes), ("{count} s", rest))
        return " ".join(self.to(template, count=count) for template, count in counted if count)

    def met(self, is_met: bool | None) -> str:
        """Whether an objective was met."""
        if is_met is None:
            return self.to("not measured")
        return self.to("met") if is_met else self.to("not met")

    def saw(self, text: str) -> str:
        """What a check has seen, cut to a line."""
        return text if len(text) <= _SAW_MOST else f"{text[: _SAW_MOST - 1]}…"

    def percent(self, share: float) -> str:
        """A share as a percentage with two decimals, rounded down."""
        return f"{int(share * 10_000) / 100:.2f} %"


def _up(seconds: float, places: int) -> float:
    """Rounded up to so many decimals: what was measured never looks better than it was."""
    units: int = 10**places
    return math.ceil(round(seconds * units, 3)) / units


def render(sealed: Mapping[str, Any], language: str = CHINESE, levels: Levels | None = None) -> str:
    """The page, whole: style inside, nothing that runs, nothing from elsewhere."""
    words = Wording(language)
    report = sealed["report"]
    longest = max(
        (one["seconds"] or 0 for one in (report["recovery_time"] or {}).get("segments", ())), default=0
    )
    return (
        _templates()
        .get_template("report.html")
        .render(
            report=report,
            sealed=sealed,
            inside=Markup(_inside(sealed)),  # noqa: S704  # what could end the element is escaped
            words=words,
            _=words.to,
            word=words.word,
            levels=levels or table(),
            longest=longest or 1,
            lines=report["timeline"],
            held=words.to(", ").join(_held(report, levels or table(), words)),
            leaks=", ".join(_leaks(report["canary"] or {})),
        )
    )


def _held(report: Mapping[str, Any], levels: Levels, words: Wording) -> list[str]:
    """The names of the elements that hold the level down; the figures themselves may do."""
    names = report["levels"]["held_down_by"]
    known = levels.elements
    return [known[one][words.language] if one in known else words.to("the figures measured") for one in names]


def _leaks(canary: Mapping[str, Any]) -> list[str]:
    return [*canary.get("answered", {}), *canary.get("ways_out", ())]


def file_name(report: Mapping[str, Any], ending: str) -> str:
    """What the file is saved as: dr-report-drill-12.pdf."""
    return f"dr-report-{report['id']}.{ending}"


def _inside(sealed: Mapping[str, Any]) -> str:
    """The sealed report as it may stand in an element of HTML; the same JSON all the same."""
    text = json.dumps(dict(sealed), ensure_ascii=False, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
