"""A rule of counting (统计口径) as data: what counts, what is left out, what proves it. Pure.

No source states a formula for the rate of migration (上云率); each says a part. So every switch is here, has
one name, and is stored with the rule's version. What is never a switch: a merged system counts through the
one it went into, a retired one not at all.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from cloudctl.errors import BadInput, Fault
from tenants.migration.stages import ORDER
from tenants.register.fields import HOSTING, LEVELS
from tenants.topology.faults import DID_YOU_MEAN, nearest

MAY_COUNT = ("planned", "building", "in_use", "suspended")  # life states a rule may name
RESERVED = "reserved"
DEFAULT_NAME = "default"  # of the rule that holds until somebody applies one
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_A_YEAR_H, _TEN_YEARS_D, _ALL = 8760, 3650, 10_000


class Classified(StrEnum):
    """When a classified system (涉密) is left out."""

    WITH_DOCUMENT = "with_document"  # when the decision has its document; without one it counts as not moved
    ALWAYS = "always"
    NEVER = "never"


class Exempt(StrEnum):
    """When a system that need not move (不宜上云) is left out."""

    WHILE_VALID = "while_valid"
    NEVER = "never"


class CentrallyBuilt(StrEnum):
    """What becomes of systems that a ministry built and hosts (国家、部委统建)."""

    LEFT_OUT = "left_out"
    COUNTED = "counted"


class ProvedBackup(StrEnum):
    """Whether a system that wants a DR tier of 2 or more has to show a proved offsite backup."""

    BY_TIER = "by_tier"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True)
class Rule:
    """All switches. Hundredths of a percent unless the name says otherwise; days and hours as named."""

    name: str
    title: str
    levels: tuple[str, ...]  # of systems that count
    life_states: tuple[str, ...]
    classified: Classified
    exempt: Exempt
    centrally_built: CentrallyBuilt
    hosted_on: tuple[str, ...]  # what is recognised as the cloud
    stages: tuple[str, ...]  # that count as moved
    partial_weight_hundredths: int  # of a system moved under a partial agreement; 100 is a whole system
    new_since: date | None  # commissioned from this day on: a new system; none: nobody asks
    live_days: int  # a server must have run so long without a break
    fresh_hours: int  # the newest look may be so old
    max_gap_hours: int  # two looks may lie so far apart
    old_host_off: bool  # the old host must be off; a new system never had one
    proved_backup: ProvedBackup
    idle_days: int  # nothing ran for so long: 假上云
    exclusion_jump_hundredths: int  # what a share may grow in a month without being asked about
    ended_jump_hundredths: int
    least_systems: int  # of a scope whose shares are watched


class _Kind(StrEnum):
    NAME = "name"
    TEXT = "text"
    WORD = "word"
    WORDS = "words"
    NUMBER = "number"
    FLAG = "flag"
    DAY = "day"


@dataclass(frozen=True)
class _Switch:
    """What may be written for one key."""

    kind: _Kind
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0


_SWITCHES: Mapping[str, _Switch] = {
    "name": _Switch(_Kind.NAME),
    "title": _Switch(_Kind.TEXT, most=100),
    "levels": _Switch(_Kind.WORDS, tuple(LEVELS)),
    "life_states": _Switch(_Kind.WORDS, MAY_COUNT),
    "classified": _Switch(_Kind.WORD, tuple(Classified)),
    "exempt": _Switch(_Kind.WORD, tuple(Exempt)),
    "centrally_built": _Switch(_Kind.WORD, tuple(CentrallyBuilt)),
    "hosted_on": _Switch(_Kind.WORDS, tuple(HOSTING)),
    "stages": _Switch(_Kind.WORDS, tuple(stage.value for stage in ORDER)),
    "partial_weight_hundredths": _Switch(_Kind.NUMBER, least=0, most=100),
    "new_since": _Switch(_Kind.DAY),
    "live_days": _Switch(_Kind.NUMBER, least=0, most=_TEN_YEARS_D),
    "fresh_hours": _Switch(_Kind.NUMBER, least=1, most=_A_YEAR_H),
    "max_gap_hours": _Switch(_Kind.NUMBER, least=1, most=_A_YEAR_H),
    "old_host_off": _Switch(_Kind.FLAG),
    "proved_backup": _Switch(_Kind.WORD, tuple(ProvedBackup)),
    "idle_days": _Switch(_Kind.NUMBER, least=1, most=_TEN_YEARS_D),
    "exclusion_jump_hundredths": _Switch(_Kind.NUMBER, least=1, most=_ALL),
    "ended_jump_hundredths": _Switch(_Kind.NUMBER, least=1, most=_ALL),
    "least_systems": _Switch(_Kind.NUMBER, least=1, most=1_000_000),
}

# What holds until a rule is applied; examples/rules/gx-2026.yaml has the same switches.
DEFAULT = Rule(
    name=DEFAULT_NAME,
    title="默认统计口径",
    levels=("province", "city"),
    life_states=("in_use",),
    classified=Classified.WITH_DOCUMENT,
    exempt=Exempt.WHILE_VALID,
    centrally_built=CentrallyBuilt.LEFT_OUT,
    hosted_on=("gov_cloud",),
    stages=("accepted", "done"),
    partial_weight_hundredths=0,
    new_since=date(2026, 1, 1),
    live_days=30,
    fresh_hours=48,
    max_gap_hours=168,
    old_host_off=True,
    proved_backup=ProvedBackup.BY_TIER,
    idle_days=30,
    exclusion_jump_hundredths=300,
    ended_jump_hundredths=300,
    least_systems=20,
)


def read(document: object) -> Rule:
    """The rule a document states. BadInput has every fault, each at its key."""
    return _read(document, list(faults_of(document)))


def recall(document: object) -> Rule:
    """The rule again from what was stored of it; the built-in one is stored under its own name too."""
    return _read(document, [fault for fault in faults_of(document) if fault.code != RESERVED])


def as_document(rule: Rule) -> dict[str, Any]:
    """The rule as plain data: what is stored, shown and hashed."""
    return {key: _plain(value) for key, value in asdict(rule).items()}


def sha256(rule: Rule) -> str:
    """The hash of the whole document, its name included."""
    return document_sha256(as_document(rule))


def document_sha256(document: object) -> str:
    """The hash of a document as it was stored."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _read(document: object, faults: list[Fault]) -> Rule:
    if faults or not isinstance(document, Mapping):
        raise BadInput("the rule of counting has faults: {count}", faults=faults, count=len(faults))
    return _rule({key: _value(switch, document[key]) for key, switch in _SWITCHES.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def faults_of(document: object) -> Iterator[Fault]:
    """Every fault of a document that should be a rule: unknown and missing keys, then values."""
    if not isinstance(document, Mapping):
        yield Fault("file", "not_a_mapping", "must be a mapping")
        return
    mistyped = set()
    for key in (str(one) for one in document if one not in _SWITCHES):
        near = nearest(key, _SWITCHES)
        mistyped.add(near)
        yield _unknown(key, near)
    for key, switch in _SWITCHES.items():
        if key in document:
            yield from _value_faults(key, switch, document[key])
        elif key not in mistyped:
            yield Fault("file", "missing", "the key '{key}' is missing", {"key": key})
    if document.get("name") == DEFAULT_NAME:
        params = {"name": DEFAULT_NAME}
        template = "'{name}' is the rule that is built in"
        yield Fault("name", RESERVED, template, params, "choose another name")


# -- values


def _unknown(key: str, near: str | None) -> Fault:
    hint = DID_YOU_MEAN if near else "known: {known}"
    params = {"meant": near, "known": ", ".join(_SWITCHES)}
    return Fault(key, "unknown_key", "this key is not known here", params, hint)


def _value_faults(key: str, switch: _Switch, value: object) -> Iterator[Fault]:
    if value is None and switch.kind != _Kind.DAY:
        yield Fault(key, "no_value", "has no value")
    elif wrong := _type_words(switch.kind, value):
        yield Fault(key, "bad_type", wrong)
    elif switch.kind == _Kind.WORDS:
        yield from _list_faults(key, switch, value)
    elif switch.kind == _Kind.WORD:
        yield from _choice_faults(key, switch, value)
    elif switch.kind == _Kind.NUMBER:
        yield from _range_faults(key, switch, value)
    else:
        yield from _text_faults(key, switch, value)


def _type_words(kind: _Kind, value: object) -> str | None:
    """What is wrong with the type; a true is no number and a 1.0 is no 1."""
    words = {
        _Kind.NUMBER: (int, "must be a whole number"),
        _Kind.FLAG: (bool, "must be true or false"),
        _Kind.WORDS: (list, "must be a list"),
    }
    wanted, template = words.get(kind, (str, "must be a text"))
    if type(value) is wanted or (kind == _Kind.DAY and value is None):
        return None
    return template


def _list_faults(key: str, switch: _Switch, value: Any) -> Iterator[Fault]:
    if not value:
        yield Fault(key, "empty", "names nothing: nothing would count")
    for index, one in enumerate(value):
        place = f"{key}[{index}]"
        if type(one) is not str:
            yield Fault(place, "bad_type", "must be a text")
        elif one in value[:index]:
            yield Fault(place, "not_unique", "'{value}' is here twice", {"value": one})
        else:
            yield from _choice_faults(place, switch, one)


def _choice_faults(place: str, switch: _Switch, value: Any) -> Iterator[Fault]:
    if value not in switch.choices:
        near = nearest(value, switch.choices)
        params = {"given": value[:60], "choices": ", ".join(switch.choices), "meant": near}
        hint = DID_YOU_MEAN if near else None
        yield Fault(place, "unknown_word", "'{given}' is none of: {choices}", params, hint)


def _range_faults(key: str, switch: _Switch, value: Any) -> Iterator[Fault]:
    params = {"given": str(value)[:60], "ge": switch.least, "le": switch.most}
    if value < switch.least:
        yield Fault(key, "out_of_range", "{given} is too small: at least {ge}", params)
    if value > switch.most:
        yield Fault(key, "out_of_range", "{given} is too big: at most {le}", params)


def _text_faults(key: str, switch: _Switch, value: Any) -> Iterator[Fault]:
    params = {"given": str(value)[:60], "max_length": switch.most}
    if switch.kind == _Kind.NAME and not _NAME.fullmatch(value):
        template = "'{given}' is no name: up to 63 of a-z 0-9 . _ -, the first a letter or digit"
        yield Fault(key, "bad_form", template, params)
    if switch.kind == _Kind.TEXT and (not value.strip() or value != value.strip() or "\n" in value):
        yield Fault(key, "bad_form", "must be one line, without spaces around it", params)
    if switch.kind == _Kind.TEXT and len(value) > switch.most:
        yield Fault(key, "out_of_range", "is too long: at most {max_length} characters", params)
    if switch.kind == _Kind.DAY and value is not None and _day(value) is None:
        yield Fault(key, "bad_form", "'{given}' is no day", params, 'write "2026-01-01"')


def _day(text: str) -> date | None:
    """A day written 2026-01-01, and in no other of ISO 8601's ways."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _value(switch: _Switch, value: Any) -> Any:
    if switch.kind == _Kind.WORDS:
        return tuple(value)
    if switch.kind == _Kind.DAY:
        return _day(value) if value is not None else None
    return value


def _rule(values: Mapping[str, Any]) -> Rule:
    return Rule(
        **{
            **values,
            "classified": Classified(values["classified"]),
            "exempt": Exempt(values["exempt"]),
            "centrally_built": CentrallyBuilt(values["centrally_built"]),
            "proved_backup": ProvedBackup(values["proved_backup"]),
        }
    )
