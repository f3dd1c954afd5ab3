"""What is right for one record: what follows from what is said of it, and everything against it. Pure.

Sources: the classification rules (涉密不上网: a classified system is counted and holds no content), the tiers
of disaster recovery (key data at least T2, a key application T4, MLPS 3 at least T2), the six basic
libraries, the stages of the migration.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from cloudctl.errors import Fault
from tenants.migration.stages import ON_CLOUD, stage_faults
from tenants.register.fields import BY_NAME, CLASSIFIED_NAME, Record, Value
from tenants.register.offices import Offices
from tenants.register.records import BLANK, CONTENT, DECISION, ENDED

KEY_DATA_TIER, KEY_APPLICATION_TIER, MLPS_3_TIER = 2, 4, 2
_CLASSIFIED_STAGES = ("registered", "classified", *ENDED)
_EXEMPTION = ("exempt_clause", "exempt_document", "exempt_until")
_NO_CONTENT: Mapping[str, Value] = {**{name: BLANK[name] for name in CONTENT}, "name": CLASSIFIED_NAME}
MOST_YEARS = 3  # of an exemption
_ANSWERED = ("asked", "rejected")  # the same again would ask the same people the same thing
_WEBSITE = "网站"
_KEPT_WHEN_EMPTY = ("life_state", "stage")  # states, not facts: an empty cell says nothing about them
AS_SAID = (*_KEPT_WHEN_EMPTY, "is_key_application", "has_key_data")  # empty is not the same as the default


@dataclass(frozen=True)
class Facts:
    """What the rules have to know besides the record.

    `exists` says whether there is a system, `into` which one another was merged into, by code. `holding` are
    systems with projects, resources or open requests; `asking` those with open requests; `exemptions` what
    was asked for a system before: state, clause, document, until.
    """

    today: date
    offices: Offices
    exists: Callable[[str], bool]
    into: Callable[[str], str | None]
    holding: Collection[str] = frozenset()
    asking: Collection[str] = frozenset()
    exemptions: Mapping[str, Sequence[tuple[Value, ...]]] = field(default_factory=dict)
    is_province_admin: bool = False


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
    warnings = list(_warnings(given, said, facts))
    faults = [*_missing(after), *_move_faults(was, said, facts)]
    if after["is_classified"]:
        faults += _content_faults(given, after)
    else:
        faults += stage_faults(said, facts.today)
    if given.get("dr_tier") is not None:
        faults += _tier_faults(given, after)
    if after["merged_into"] is not None or after["split_from"] is not None:
        faults += _lineage_faults(after, facts)
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


def least_tier(record: Record) -> tuple[int, str]:
    """The lowest DR tier the rules allow, and what to say of a lower one."""
    if record["is_key_application"]:
        return KEY_APPLICATION_TIER, "T{tier} is too low: a key application runs active-active (T{least})"
    if record["has_key_data"]:
        return KEY_DATA_TIER, "T{tier} is too low: key data has an offsite backup (T{least})"
    mlps_level = record["mlps_level"]
    if isinstance(mlps_level, int) and mlps_level >= 3:
        return MLPS_3_TIER, "T{tier} is too low: a system of MLPS level 3 has an offsite backup (T{least})"
    return 0, ""


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


# -- what is against it


def _missing(record: Record) -> Iterator[Fault]:
    for name in ("code", "name", "department"):
        if record[name] is None:
            yield Fault(name, "missing", "is missing")


def _content_faults(given: Mapping[str, Value], after: Record) -> Iterator[Fault]:
    """A classified system is counted, and that it is classified has to be decided; nothing else is kept."""
    content = [
        BY_NAME[name].title
        for name, value in given.items()
        if name in CONTENT and value is not None and value not in (BLANK[name], CLASSIFIED_NAME)
    ]
    if content:
        template = "a classified system holds no content; empty: {fields}"
        hint = "nothing of it was kept; send the sheet again without it, and not over this network"
        yield Fault("is_classified", "classified_content", template, {"fields": "、".join(content)}, hint)
    lacking = [name for name in DECISION if after[name] is None]
    if lacking and (len(lacking) < len(DECISION) or after["stage"] == "classified"):
        params = {"fields": "、".join(BY_NAME[name].title for name in lacking)}
        yield Fault(
            "is_classified", "decision_incomplete", "the classification decision lacks {fields}", params
        )
    if after["stage"] not in _CLASSIFIED_STAGES:
        template = "a classified system is counted and never moves onto the cloud"
        yield Fault("stage", "classified", template)


def _tier_faults(given: Mapping[str, Value], after: Record) -> Iterator[Fault]:
    said = given.get("dr_tier")
    if isinstance(said, int) and not after["is_classified"]:
        least, template = least_tier(after)
        if said < least:
            yield Fault("dr_tier", "tier_too_low", template, {"tier": said, "least": least})


def _lineage_faults(after: Record, facts: Facts) -> Iterator[Fault]:
    code = str(after["code"])
    into, split_from = after["merged_into"], after["split_from"]
    if into is not None:
        yield from _merge_faults(code, str(into), facts)
        if after["stage"] != "merged":
            template = "only a merged system names the one it was merged into"
            yield Fault("merged_into", "not_merged", template)
    if split_from == code:
        yield Fault("split_from", "from_itself", "a system cannot be split from itself")
    elif split_from is not None and not facts.exists(str(split_from)):
        params = {"system": split_from}
        yield Fault("split_from", "unknown_system", "there is no system '{system}'", params)


def _merge_faults(code: str, into: str, facts: Facts) -> Iterator[Fault]:
    if into == code:
        yield Fault("merged_into", "into_itself", "a system cannot be merged into itself")
        return
    if not facts.exists(into):
        yield Fault("merged_into", "unknown_system", "there is no system '{system}'", {"system": into})
        return
    way, following = [code, into], facts.into(into)
    while following is not None and following not in way:
        way.append(following)
        following = facts.into(following)
    if following == code:
        params = {"way": " → ".join([*way, code])}
        template = "systems cannot be merged in a circle: {way}"
        yield Fault("merged_into", "circle", template, params, "one of them has to remain")


def _move_faults(was: Record, said: Record, facts: Facts) -> Iterator[Fault]:
    """Moves that are not an office's own: back from the end, back from an acceptance, away from resources."""
    old, new = was["stage"], said["stage"]
    if old in ENDED and new not in ENDED and not facts.is_province_admin:
        hint = "ask the province's administrator to restore it"
        yield Fault("stage", "ended", "the system has ended and is not revived by a sheet", hint=hint)
    if old in ON_CLOUD and new not in (*ON_CLOUD, *ENDED) and not facts.is_province_admin:
        hint = "ask the province's administrator to revoke the acceptance"
        yield Fault(
            "stage", "accepted", "the system was accepted; a sheet does not take that back", hint=hint
        )
    if new == "exempt" and old not in ("exempt", *ENDED) and old in ("trial", *ON_CLOUD):
        yield Fault("stage", "moved_already", "a system that has moved cannot be exempt from moving")
    if was["department"] not in (None, said["department"]) and said["code"] in facts.asking:
        hint = "decide or withdraw them first"
        template = "requests of the system are under way: it cannot change its department now"
        yield Fault("department", "requests_under_way", template, hint=hint)
    has_ended = new in ENDED and old not in ENDED
    if (has_ended or (said["is_classified"] and not was["is_classified"])) and said["code"] in facts.holding:
        hint = "release what it holds first"
        yield Fault("life_state" if has_ended else "is_classified", "still_in_use",
                    "it still holds projects, resources or requests", hint=hint)  # fmt: skip


# -- what people should know


def _warnings(given: Mapping[str, Value], said: Record, facts: Facts) -> Iterator[Fault]:
    if said["is_classified"]:
        if said["decision_document"] is None:
            template = "without a decision it counts among those that have to move"
            yield Fault("is_classified", "no_decision", template)
        return
    if _is_website_below_county(said, facts):
        template = "below the city no department runs a web site of its own"
        yield Fault("category", "website", template, hint="plan to merge it into the city's")
    if said["basic_library"] is not None and False in (
        given.get("has_key_data"),
        given.get("is_key_application"),
    ):
        template = "a basic library is key data and a key application by rule"
        yield Fault("basic_library", "key_by_rule", template)


def _is_website_below_county(record: Record, facts: Facts) -> bool:
    category, department = record["category"], record["department"]
    if (
        not isinstance(category, str)
        or _WEBSITE not in category
        or department not in facts.offices.departments
    ):
        return False
    division = record["division"]
    place = facts.offices.division_of(str(department), str(division) if division else None)
    return facts.offices.divisions[place].level in ("county", "township")
