"""From what people write of a facility to values that can be kept, or to all its faults at once. Pure.

A facility is what is to go when systems have moved: a private network (业务专网), a web site to be merged, a
machine room of one's own, an internet exit, a cloud of one's own.
"""

import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from cloudctl.errors import BadInput, Fault
from tenants.register.dates import read_date
from tenants.register.texts import CODE

KINDS: Mapping[str, str] = {
    "private_network": "业务专网",
    "website": "政府网站",
    "machine_room": "自建机房",
    "internet_exit": "互联网出口",
    "self_built_cloud": "自建云平台",
}
MOST_YUAN = 1_000_000_000_000
MOST_SYSTEMS = 200
_MOST = {"name": 200, "document": 200}
_KEYS = ("name", "kind", "department", "ends_on", "yearly_cost_yuan", "document", "systems", "domain")
_LABEL = r"[a-z0-9\u4e00-\u9fff](?:[a-z0-9\u4e00-\u9fff-]{0,61}[a-z0-9\u4e00-\u9fff])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


@dataclass(frozen=True)
class FacilityForm:
    """A facility as it should be kept; its state follows: in use, or planned to end."""

    code: str
    name: str
    kind: str
    department: str
    ends_on: date | None = None
    yearly_cost_yuan: int | None = None
    document: str | None = None
    systems: tuple[str, ...] = ()  # whose move makes it needless
    domain: str | None = None  # of a web site


@dataclass(frozen=True)
class Ending:
    """How a facility has ended."""

    ended_on: date
    document: str
    into: str | None = None  # what a web site was merged into
    domain: str | None = None  # under which it answers since
    owner: str | None = None  # who keeps it since


def read(code: str, given: Mapping[str, Any], departments: Container[str], place: str = "") -> FacilityForm:
    """The facility; BadInput with everything that is wrong. `departments` are the codes there are."""
    faults: list[Fault] = []
    if not CODE.fullmatch(code):
        template = "'{word}' is no code: small letters, digits, '.', '_' and '-', at most {most}"
        faults.append(Fault("code", "bad_code", template, {"word": code[:80], "most": 63}))
    for key in given:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            hint = "did you mean {near}?" if near else None
            params = {"near": near[0] if near else None}
            faults.append(Fault(str(key), "unknown_key", "is no field of a facility", params, hint))
    values: dict[str, Any] = {key: _text(key, given.get(key), faults) for key in _MOST}
    values["kind"] = _kind(given.get("kind"), faults)
    values["department"] = _department(given.get("department"), departments, faults)
    values["ends_on"] = _day("ends_on", given.get("ends_on"), faults)
    values["yearly_cost_yuan"] = _yuan(given.get("yearly_cost_yuan"), faults)
    values["systems"] = _codes(given.get("systems"), faults)
    values["domain"] = _domain(given.get("domain"), faults)
    form = FacilityForm(code=code, **values)
    must_be_clean([*faults, *_rules(form)], place)
    return form


def read_ending(given: Mapping[str, Any], today: date) -> Ending:
    """How it has ended; BadInput with everything that is wrong with it by itself."""
    faults: list[Fault] = []
    ended_on = _day("ended_on", given.get("ended_on"), faults)
    if ended_on is None and not faults:
        faults.append(Fault("ended_on", "missing", "is missing"))
    if ended_on is not None and ended_on > today:
        params = {"day": ended_on, "today": today}
        faults.append(Fault("ended_on", "future_date", "{day} lies ahead; today is {today}", params))
    document = _text("document", given.get("document"), faults)
    if not document:
        faults.append(Fault("document", "missing", "is missing", hint="the document that says so"))
    domain = _domain(given.get("domain"), faults)
    must_be_clean(faults)
    assert ended_on is not None and document is not None
    return Ending(ended_on, document, given.get("into") or None, domain, given.get("owner") or None)


def merging_faults(kind: str, domain: str | None, department: str, ending: Ending) -> Iterator[Fault]:
    """What is against the end of a web site: merged somewhere, it keeps its domain and its owner."""
    if kind != "website":
        return
    if ending.into is None:
        hint = "the web site that has it now"
        yield Fault("into", "missing", "say what it was merged into", hint=hint)
    if ending.domain is None or ending.domain != domain:
        template = "a web site that is merged keeps its domain: {domain}"
        yield Fault("domain", "domain_changed", template, {"domain": domain})
    if ending.owner is not None and ending.owner != department:
        template = "a web site that is merged keeps its owner: {department}"
        yield Fault("owner", "owner_changed", template, {"department": department})


def must_be_clean(faults: Sequence[Fault], place: str = "") -> None:
    """BadInput with all faults, if there are any."""
    if faults:
        placed = [replace(fault, place=f"{place}{fault.place}") for fault in faults]
        raise BadInput("the facility cannot be kept: {count} faults", faults=placed, count=len(placed))


def still_costs(
    state: str, ends_on: date | None, systems: Sequence[str], moved: Container[str], today: date
) -> list[str]:
    """Why a facility should no longer cost anything: `past_end`, `systems_moved`; empty when it may stay."""
    if state == "ended":
        return []
    reasons = ["past_end"] if ends_on is not None and ends_on < today else []
    return reasons + (["systems_moved"] if systems and all(one in moved for one in systems) else [])


def _rules(form: FacilityForm) -> Iterator[Fault]:
    if form.kind == "website" and form.domain is None:
        yield Fault("domain", "missing", "a web site has a domain")
    if form.kind not in ("", "website") and form.domain is not None:
        yield Fault("domain", "not_for_this", "only a web site has a domain")
    if form.ends_on is None and form.document is None:
        template = "it has a day on which it ends, or a document on whose ground it may stay"
        yield Fault("ends_on", "no_end", template)


def _text(key: str, written: object, faults: list[Fault]) -> str | None:
    text = "" if written is None else str(written).strip()
    if not text and key == "name":
        faults.append(Fault(key, "missing", "is missing"))
    if len(text) > _MOST[key] or not text.isprintable():
        template = "must be one line of at most {most} characters"
        faults.append(Fault(key, "bad_text", template, {"most": _MOST[key]}))
    return text or None


def _kind(written: object, faults: list[Fault]) -> str:
    word = "" if written is None else str(written).strip()
    by_title = {title: kind for kind, title in KINDS.items()}
    kind = word if word in KINDS else by_title.get(word)
    if kind is None:
        params = {"word": word[:40], "known": ", ".join(KINDS)}
        fault = Fault("kind", "unknown_choice", "there is no '{word}'", params, "one of {known}")
        faults.append(fault if word else Fault("kind", "missing", "is missing", params, "one of {known}"))
    return kind or ""


def _department(written: object, known: Container[str], faults: list[Fault]) -> str:
    code = "" if written is None else str(written).strip()
    if not code:
        faults.append(Fault("department", "missing", "is missing"))
    elif code not in known:
        template = "there is no department '{word}'"
        faults.append(Fault("department", "unknown_department", template, {"word": code[:80]}))
    return code


def _day(key: str, written: object, faults: list[Fault]) -> date | None:
    if written in (None, ""):
        return None
    day = read_date(written if isinstance(written, date) else str(written))
    if isinstance(day, Fault):
        faults.append(replace(day, place=key))
        return None
    return day


def _yuan(written: object, faults: list[Fault]) -> int | None:
    if written in (None, ""):
        return None
    text = unicodedata.normalize("NFKC", str(written)).replace(",", "").strip()
    if isinstance(written, bool) or not re.fullmatch(r"[0-9]{1,13}", text) or int(text) > MOST_YUAN:
        template = "must be whole yuan, from 0 to {most}"
        faults.append(Fault("yearly_cost_yuan", "bad_amount", template, {"most": MOST_YUAN}))
        return None
    return int(text)


def _codes(written: object, faults: list[Fault]) -> tuple[str, ...]:
    given = re.split(r"[,，、;；\s]+", written) if isinstance(written, str) else written or ()
    codes = tuple(dict.fromkeys(str(one) for one in given if one)) if isinstance(given, list | tuple) else ()
    if len(codes) > MOST_SYSTEMS:
        faults.append(Fault("systems", "too_many", "at most {most} at a time", {"most": MOST_SYSTEMS}))
    return codes


def _domain(written: object, faults: list[Fault]) -> str | None:
    text = unicodedata.normalize("NFKC", "" if written is None else str(written)).strip().lower().rstrip(".")
    if not text:
        return None
    if len(text) > 253 or not _DOMAIN.fullmatch(text):
        faults.append(Fault("domain", "bad_domain", "'{word}' is no domain", {"word": text[:80]}))
        return None
    return text
