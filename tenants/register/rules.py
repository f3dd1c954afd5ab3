"""What becomes of a record when something is said of it: what follows, and what the rules say to it. Pure.

Sources: a classified system is counted and holds no content; the six basic libraries are key data and key
applications; an empty DR tier is the least that is allowed; an exemption takes a second person.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from cloudctl.errors import Fault
from tenants.migration.stages import MOST_YEARS, stage_faults
from tenants.register import objections
from tenants.register.fields import CLASSIFIED_NAME, Record, Value
from tenants.register.objections import Facts, least_tier
from tenants.register.records import BLANK, CONTENT, ENDED

_EXEMPTION = ("exempt_clause", "exempt_document", "exempt_until")
_NO_CONTENT: Mapping[str, Value] = {**{name: BLANK[name] for name in CONTENT}, "name": CLASSIFIED_NAME}
_ANSWERED = ("asked", "rejected")  # the same again would ask the same people the same thing
_KEPT_WHEN_EMPTY = ("life_state", "stage")  # states, not facts: an empty cell says nothing about them
AS_SAID = (*_KEPT_WHEN_EMPTY, "is_key_application", "has_key_data")  # empty is not the same as the default


class Judged(NamedTuple):
    """The record after the change, what is against it, and what people should know about it.

    `asks` is the record's exemption, where one is asked for: it takes a second person, so the record keeps
    its former stage until then. `is_same` when the record is what it was.
    """

    record: Record
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()
    asks: Mapping[str, Value] | None = None
    is_same: bool = False


def judge(before: Record | None, given: Mapping[str, Value], facts: Facts) -> Judged:
    """What becomes of a record when these fields are said of it; `before` is None for a new system.

    What is not in `given` stays as it is. None clears a field without a default, a default one with it; for
    those of AS_SAID None is an empty cell.
    """
    was = BLANK if before is None else before
    plain = _plain(was, given)
    if plain == before:
        return Judged(plain, is_same=True)
    said = _completed(was, given, plain)
    after, asks = _without_exemption(was, said)
    warnings = list(objections.notes(given, said, facts))
    faults = [*objections.missing(after), *objections.move_faults(was, said, facts)]
    if after["is_classified"]:
        faults += objections.content_faults(given, after)
    else:
        faults += stage_faults(said, facts.today)
    if given.get("dr_tier") is not None:
        faults += objections.tier_faults(given, after)
    if after["merged_into"] is not None or after["split_from"] is not None:
        faults += objections.lineage_faults(after, facts)
    if asks is not None:
        asks = _new_exemption(str(after["code"]), asks, facts, faults, warnings)
    return Judged(after, faults, warnings, asks, after == before)


def _plain(was: Record, given: Mapping[str, Value]) -> dict[str, Value]:
    """The record with what is said, and nothing that follows from it."""
    plain = {**was, **given} if len(given) < len(was) else {**given}
    for name in AS_SAID:
        if plain[name] is None:
            plain[name] = was[name] if name in _KEPT_WHEN_EMPTY else BLANK[name]
    return plain


def _completed(was: Record, given: Mapping[str, Value], after: dict[str, Value]) -> dict[str, Value]:
    """The record with what follows from what is said: the end, no content, the basic libraries, the tier."""
    _follow_the_end(was, given, after)
    if after["is_classified"]:
        return {**after, **_NO_CONTENT}
    if after["name"] == CLASSIFIED_NAME:
        after["name"] = None  # it was classified, and its name is not known any more
    if after["basic_library"] is not None:
        after["has_key_data"] = after["is_key_application"] = True
    least = least_tier(after)[0]
    if given.get("dr_tier") is None and least > (after["dr_tier"] or 0):  # type: ignore[operator]
        after["dr_tier"] = least
    return after


def _follow_the_end(was: Record, given: Mapping[str, Value], after: dict[str, Value]) -> None:
    """Retired and merged are said by stage or by life state; the one that is said leads the other."""
    life, stage = given.get("life_state"), given.get("stage")
    if life is None and stage is None and given.get("merged_into") is not None:
        after["life_state"] = after["stage"] = "merged"
    elif stage is None and life is not None:
        if life in ENDED:
            after["stage"] = life
        elif was["stage"] in ENDED:
            after["stage"] = BLANK["stage"]
    elif life is None and stage is not None:
        if stage in ENDED:
            after["life_state"] = stage
        elif was["life_state"] in ENDED:
            after["life_state"] = BLANK["life_state"]


def _without_exemption(
    was: Record, said: dict[str, Value]
) -> tuple[dict[str, Value], dict[str, Value] | None]:
    """The record until a second person has approved, and the exemption to be approved, if one is asked."""
    if said["stage"] != "exempt" or said["is_classified"]:
        return said, None
    asks = {name: said[name] for name in _EXEMPTION}
    if was["stage"] == "exempt" and all(was[name] == value for name, value in asks.items()):
        return said, None
    return {**said, "stage": was["stage"], **{name: was[name] for name in _EXEMPTION}}, asks


def _new_exemption(
    code: str, asks: dict[str, Value], facts: Facts, faults: list[Fault], warnings: list[Fault]
) -> dict[str, Value] | None:
    """The exemption to be asked for; None when it was asked before, is over, or lacks something."""
    until, before = asks["exempt_until"], facts.exemptions.get(code, ())
    content = tuple(asks.values())
    if not isinstance(until, date) or any(one[0] in _ANSWERED and one[1:] == content for one in before):
        return None
    params = {"day": until, "years": MOST_YEARS}
    if until <= facts.today:
        warnings.append(
            Fault(
                "exempt_until",
                "exemption_over",
                "the exemption ended on {day}; the system has to move",
                params,
            )
        )
        return None
    if (until.year - MOST_YEARS, until.month, until.day) > facts.today.timetuple()[:3]:
        faults.append(Fault("exempt_until", "too_far", "{day} is more than {years} years ahead", params))
    if any(one[0] == "asked" for one in before):
        template = "another exemption of the system waits for a decision"
        faults.append(Fault("exempt_until", "asked_already", template))
    return asks
