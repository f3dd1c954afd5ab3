"""Whether a step of a shift does well, from what was seen from outside. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dr.traffic.shares import Weights

IN_A_ROW = 3  # failures without an answer between them
ENOUGH = 20  # answers from which a rate says something


class Verdict(StrEnum):
    """What follows."""

    GOOD = "good"
    BACK = "back"  # where people were it works, where they are going it does not
    HALT = "halt"  # neither here nor there: a person decides


@dataclass(frozen=True)
class Tally:
    """What was seen of one site since the step began."""

    asked: int = 0
    failed: int = 0
    in_a_row: int = 0
    detail: str = ""  # of the last failure

    def and_one(self, is_well: bool, detail: str = "") -> "Tally":
        """With one more answer."""
        if is_well:
            return Tally(self.asked + 1, self.failed, 0, self.detail)
        return Tally(self.asked + 1, self.failed + 1, self.in_a_row + 1, detail)

    def fails(self, errors_percent: float) -> bool:
        """Whether the site cannot be relied on."""
        is_rate = self.asked >= ENOUGH and self.failed * 100 > errors_percent * self.asked
        return self.in_a_row >= IN_A_ROW or is_rate

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {"asked": self.asked, "failed": self.failed, "in_a_row": self.in_a_row, "detail": self.detail}


def read(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Tally]:
    """The tallies as `as_json` gave them."""
    return {site: Tally(**row) for site, row in rows.items()}


def to_ask(before: Weights, step: Weights) -> list[str]:
    """The sites that serve now, or did before."""
    return sorted(site for site in {*before, *step} if before.get(site) or step.get(site))


def growing(before: Weights, after: Weights) -> set[str]:
    """The sites that people are being moved to."""
    return {site for site in after if after[site] > before.get(site, 0)}


def has_seen(seen: Mapping[str, Tally], sites: Collection[str]) -> bool:
    """Whether each of the sites was asked so often that a dead one would have shown.

    Time alone says nothing: a worker that died may leave it to pass with nobody looking.
    """
    return all(seen.get(site, Tally()).asked >= IN_A_ROW for site in sites)


def judge(
    seen: Mapping[str, Tally], towards: Collection[str], errors_percent: float
) -> tuple[Verdict, dict[str, str]]:
    """What follows, and the sites that fail with why.

    A site that people leave may fail: that can be why they leave.
    """
    failing = {site: tally.detail for site, tally in seen.items() if tally.fails(errors_percent)}
    if not any(site in towards for site in failing):
        return Verdict.GOOD, failing
    left = [site for site in seen if site not in towards]
    works_where_they_were = any(site not in failing for site in left)
    return (Verdict.BACK if works_where_they_were else Verdict.HALT), failing
