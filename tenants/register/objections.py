"""What stands against a record, and what people should know about one that stands. Pure.

Sources: the classification rules (涉密不上网), the tiers of disaster recovery, the rule that counties run no
web sites of their own, and that nothing ends which still holds something on a cloud.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cloudctl.errors import Fault
from tenants.migration.stages import ON_CLOUD
from tenants.register.fields import BY_NAME, CLASSIFIED_NAME, Record, Value
from tenants.register.offices import Offices
from tenants.register.records import BLANK, CONTENT, DECISION, ENDED

KEY_DATA_TIER, KEY_APPLICATION_TIER, MLPS_3_TIER = 2, 4, 2
WEBSITE = "网站"
_CLASSIFIED_STAGES = ("registered", "classified", *ENDED)


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


def missing(record: Record) -> Iterator[Fault]:
    """What every system has and this one lacks."""
    for name in ("code", "name", "department"):
        if record[name] is None:
            yield Fault(name, "missing", "is missing")


def content_faults(given: Mapping[str, Value], after: Record) -> Iterator[Fault]:
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


def tier_faults(given: Mapping[str, Value], after: Record) -> Iterator[Fault]:
    """A DR tier that is said and lower than the rules allow."""
    said = given.get("dr_tier")
    if isinstance(said, int) and not after["is_classified"]:
        least, template = least_tier(after)
        if said < least:
            yield Fault("dr_tier", "tier_too_low", template, {"tier": said, "least": least})


def lineage_faults(after: Record, facts: Facts) -> Iterator[Fault]:
    """Systems that it cannot have been merged into or split from."""
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


def move_faults(was: Record, said: Record, facts: Facts) -> Iterator[Fault]:
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


def notes(given: Mapping[str, Value], said: Record, facts: Facts) -> Iterator[Fault]:
    """What is right and should be known all the same."""
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
        or WEBSITE not in category
        or department not in facts.offices.departments
    ):
        return False
    division = record["division"]
    place = facts.offices.division_of(str(department), str(division) if division else None)
    return facts.offices.divisions[place].level in ("county", "township")
