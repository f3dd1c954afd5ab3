"""Whether a rate rose because systems moved, or because fewer are counted. Pure.

Two tallies of one scope, a month apart, and the rule's limits. A flag accuses nobody: it says what changed,
in numbers, so that somebody asks why.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tenants.migration.rates import DECIDED, ENDED, WHOLE, Tally, percent, percent_text, reaches
from tenants.migration.rule import Rule

_HUNDREDTHS = 10_000  # of a percent, in the whole


@dataclass(frozen=True)
class Flag:
    """Something to ask about: which kind, and the words with their numbers."""

    code: str
    template: str
    params: Mapping[str, object] = field(default_factory=dict)


def flags(before: Tally, now: Tally, rule: Rule, target: int | None = None) -> list[Flag]:
    """What to ask about a scope. Shares of few systems jump by themselves and are not asked about."""
    found = list(_reached_by_subtraction(before, now, target))
    if max(before.registered, now.registered) >= rule.least_systems:
        jumps = [*_exclusions(before, now, rule), *_ended(before, now, rule)]
        found += jumps or _shrunk(before, now, rule)
    return found


def _exclusions(before: Tally, now: Tally, rule: Rule) -> Iterator[Flag]:
    """The share left out by decisions: classified, built by a ministry, exempt."""
    shares = [(one.left_out(DECIDED), one.left_out(DECIDED) + one.denominator) for one in (before, now)]
    if _grew(shares, rule.exclusion_jump_hundredths):
        template = (
            "left out as classified, centrally built or exempt: {before} % before, {now} % now "
            "({more} systems more)"
        )
        yield _flag("exclusion_jump", template, shares)


def _ended(before: Tally, now: Tally, rule: Rule) -> Iterator[Flag]:
    """The share that no longer counts because it ended: retired, merged, suspended."""
    shares = [(one.left_out(ENDED), one.registered) for one in (before, now)]
    if _grew(shares, rule.ended_jump_hundredths):
        template = "retired, merged or suspended: {before} % before, {now} % now ({more} systems more)"
        yield _flag("ended_jump", template, shares)


def _shrunk(before: Tally, now: Tally, rule: Rule) -> Iterator[Flag]:
    """Fewer should have moved although the register did not shrink, and no share says why."""
    fall = before.denominator - now.denominator
    is_much = fall * _HUNDREDTHS > rule.ended_jump_hundredths * before.denominator
    if is_much and now.registered >= before.registered:
        params = {
            "before": before.denominator,
            "now": now.denominator,
            "registered_before": before.registered,
            "registered": now.registered,
        }
        template = (
            "systems that count: {before} before, {now} now, while the register went from "
            "{registered_before} to {registered}"
        )
        yield Flag("denominator_shrank", template, params)


def _reached_by_subtraction(before: Tally, now: Tally, target: int | None) -> Iterator[Flag]:
    """The target was missed, is reached now, and would still be missed if as many counted as before."""
    if target is None or now.denominator >= before.denominator:
        return
    was_reached = reaches(before.numerator_hundredths, before.denominator, target)
    is_reached = reaches(now.numerator_hundredths, now.denominator, target)
    if not was_reached and is_reached and not reaches(now.numerator_hundredths, before.denominator, target):
        params = {
            "target": percent_text(target),
            "rate": percent(now.numerator_hundredths, now.denominator),
            "otherwise": percent(now.numerator_hundredths, before.denominator),
            "fewer": before.denominator - now.denominator,
        }
        template = (
            "the target of {target} % is reached with {rate} % because {fewer} systems fewer count; "
            "otherwise it would be {otherwise} %"
        )
        yield Flag("reached_by_subtraction", template, params)


def _grew(shares: list[tuple[int, int]], most: int) -> bool:
    """Whether the second share is more than `most` hundredths of a percent above the first, exactly."""
    first, second = (Fraction(part, whole) if whole else Fraction(0) for part, whole in shares)
    return (second - first) * _HUNDREDTHS > most


def _flag(code: str, template: str, shares: list[tuple[int, int]]) -> Flag:
    (part_before, whole_before), (part_now, whole_now) = shares
    params = {
        "before": percent(part_before * WHOLE, whole_before) or "0.00",
        "now": percent(part_now * WHOLE, whole_now),
        "more": part_now - part_before,
    }
    return Flag(code, template, params)
