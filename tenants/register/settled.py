"""Rows of a sheet that are right as they are: nearly all, and found a column at a time. Pure.

What the rules say of a new system follows from few of its values, from which of the others are there at all,
and from its days. So rows that are alike in the first two are judged once, and the days are looked at for
themselves. Whatever is not plainly right is left to the rules, row by row.
"""

from collections.abc import Iterator, MutableSequence, Sequence
from datetime import date

from tenants.migration.stages import DATES, MAY_LIE_AHEAD, TRIAL_DAYS
from tenants.register.fields import CLASSIFIED_NAME, FIELDS, FieldKind, Value
from tenants.register.objections import WEBSITE, Facts
from tenants.register.rules import judge
from tenants.register.stored import Table

_BY_VALUE = (
    "is_classified", "life_state", "stage", "hosting", "mlps_level", "dr_tier", "basic_library",
    "has_key_data", "is_key_application",
)  # fmt: skip
_ALONE = ("merged_into", "split_from")  # rules look for the system that is named
_BY_PRESENCE = tuple(field.name for field in FIELDS if field.name not in (*_BY_VALUE, *_ALONE))
_PAST = tuple(
    field.name for field in FIELDS if field.kind is FieldKind.DATE and field.name not in MAY_LIE_AHEAD
)


def settle(table: dict[str, MutableSequence[Value]], positions: Sequence[int], facts: Facts) -> list[int]:
    """Those of the positions that make new systems with no fault, note or exemption.

    What follows from what they say, such as a DR tier, is filled into the table. The table has every field;
    None in those of `AS_SAID` is an empty cell.
    """
    odd = {*_odd_words(table), *_odd_days(table, facts.today)}
    values = [table[name] for name in _BY_VALUE]
    presence = [[value is None for value in table[name]] for name in _BY_PRESENCE]
    kinds = list(zip(*values, *presence, strict=True))
    known: dict[tuple[object, ...], dict[str, Value] | None] = {}
    right = []
    for position in positions:
        if position in odd:
            continue
        kind = kinds[position]
        if kind not in known:
            known[kind] = _follows({name: column[position] for name, column in table.items()}, facts)
        follows = known[kind]
        if follows is None:
            continue
        for name, value in follows.items():
            table[name][position] = value
        right.append(position)
    return right


def _follows(given: dict[str, Value], facts: Facts) -> dict[str, Value] | None:
    """What the rules make otherwise than it is said; None when they have anything to say."""
    judged = judge(None, given, facts)
    if judged.faults or judged.warnings or judged.asks is not None:
        return None
    return {name: value for name, value in judged.record.items() if given[name] != value}


def _odd_words(table: Table) -> Iterator[int]:
    """Rows whose texts the rules look into."""
    for name in _ALONE:
        yield from (position for position, value in enumerate(table[name]) if value is not None)
    names, categories = table["name"], table["category"]
    yield from (position for position, name in enumerate(names) if name == CLASSIFIED_NAME)
    websites = {value for value in set(categories) if isinstance(value, str) and WEBSITE in value}
    yield from (position for position, value in enumerate(categories) if value in websites)


def _odd_days(table: Table, today: date) -> Iterator[int]:
    """Rows with a day ahead, days in another order than the stages', or a trial that is too short."""
    for name in _PAST:
        days = [day for day in set(table[name]) if isinstance(day, date)]
        if days and max(days) > today:
            ahead = {day for day in days if day > today}
            yield from (position for position, day in enumerate(table[name]) if day in ahead)
    for position, row in enumerate(zip(*(table[name] for name in DATES), strict=True)):
        shown = [day for day in row if day is not None]
        if shown != sorted(shown):
            yield position
    pairs = zip(table["trial_from"], table["accepted_on"], strict=True)
    for position, (start, accepted) in enumerate(pairs):
        if isinstance(start, date) and isinstance(accepted, date) and (accepted - start).days < TRIAL_DAYS:
            yield position
