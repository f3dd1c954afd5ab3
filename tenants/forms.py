"""From the form people send to a checked draft, or to all its faults at once. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from cloudctl.amounts import parse_gib
from cloudctl.errors import BadInput, Fault
from tenants import ssh_keys
from tenants.catalogue import Catalogue
from tenants.draft import Ask, Disk, Draft

KINDS = ("project", "vm", "volume", "backup", "release")
TIERS = ("T1", "T2", "T3", "T4")
ENVIRONMENTS = ("prod", "test", "dev")
ZONES = ("public", "dedicated", "internet")
MOST_SERVERS = 50
MOST_VOLUMES = 50  # of a request; per VM the bus of a guest takes about twenty
MOST_VOLUMES_PER_VM = 20
MOST_RESOURCES = 200
MOST_GIB = 65_536
DEFAULT_BOOT = "40GiB"

_ALWAYS = frozenset({"kind", "system", "environment", "site", "approval_number", "payer", "reason"})
_KEYS = {
    "project": _ALWAYS,
    "vm": _ALWAYS
    | {"zone", "count", "flavor", "image", "boot_size", "volume_type", "ssh_key"}
    | {"data_volumes", "data_total", "data_volumes_per_vm"},
    "volume": _ALWAYS | {"volumes", "volume_type", "attach_to"},
    "backup": _ALWAYS | {"tier"},
    "release": _ALWAYS | {"resources", "with_volumes"},
}


def read(form: Mapping[str, Any], catalogue: Catalogue) -> tuple[Ask, list[Fault]]:
    """The form as read, and everything wrong with it by itself; with faults the first is not to be used."""
    reader = _Reader({key: value for key, value in form.items() if value not in ("", None)}, catalogue)
    kind = reader.choice("kind", KINDS)
    if kind is None:
        return Ask(Draft("")), reader.faults
    reader.refuse_unknown(_KEYS[kind])
    is_made = kind != "release"
    draft = _DRAFTS[kind](reader)
    ask = Ask(
        draft=draft,
        system=reader.text("system", 64, is_needed=is_made and draft.attach_to is None),
        environment=reader.choice("environment", ENVIRONMENTS, "prod") or "prod",
        site=reader.text("site", 64),
        zone=reader.choice("zone", ZONES) if kind == "vm" else None,
        approval_number=reader.text("approval_number", 100, is_needed=is_made and kind != "backup"),
        payer=reader.text("payer", 100, is_needed=is_made),
        reason=reader.text("reason", 1000),
    )
    return ask, reader.faults


def must_be_clean(faults: Iterable[Fault]) -> None:
    """BadInput with all faults, if there are any."""
    found = list(faults)
    if found:
        raise BadInput("the form has {count} faults", faults=found, count=len(found))


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The nearest of the known words, if one is near."""
    return next(iter(get_close_matches(word, list(known), 1)), None)


def unknown(place: str, word: str, known: Iterable[str]) -> Fault:
    """The fault of a name that is not on offer, with a did-you-mean or the whole choice."""
    choices = list(known)
    near = suggestion(word, choices)
    params = {"word": word, "near": near, "known": ", ".join(choices[:20])}
    hint = "did you mean {near}?" if near else "known: {known}"
    return Fault(place, "unknown_name", "there is no '{word}'", params, hint if choices else None)


def spread(total_gib: int, count: int) -> list[int]:
    """A size split exactly into so many volumes; they differ by 1 GiB at most, the larger first."""
    size, rest = divmod(total_gib, count)
    return [size + 1] * rest + [size] * (count - rest)


def _project(_reader: "_Reader") -> Draft:
    return Draft("project")


def _vm(reader: "_Reader") -> Draft:
    count = reader.integer("count", 1, MOST_SERVERS) or 1
    flavor = reader.name("flavor", reader.catalogue.flavors)
    image = reader.name("image", reader.catalogue.images)
    offered = reader.catalogue.images.get(image)
    boot_gib = reader.size("boot_size", DEFAULT_BOOT)
    if offered and boot_gib and boot_gib < offered.min_disk_gib:
        params = {"least": offered.min_disk_gib, "image": image}
        template = "the image {image} needs a disk of at least {least} GiB"
        reader.faults.append(Fault("boot_size", "disk_too_small", template, params))
    volume_type = reader.volume_type()
    return Draft(
        "vm",
        servers=_data_volumes(reader, count, volume_type),
        flavor=flavor,
        image=image,
        boot_gib=boot_gib,
        boot_type=volume_type,
        ssh_key=reader.ssh_key(),
        login=offered.login if offered else "",
    )


def _data_volumes(reader: "_Reader", count: int, volume_type: str) -> tuple[tuple[Disk, ...], ...]:
    """The data volumes of each VM: the same list for each, or a total spread over all."""
    if "data_total" not in reader.form:
        each = reader.disks("data_volumes", volume_type, MOST_VOLUMES_PER_VM)
        return (each,) * count
    if "data_volumes" in reader.form:
        template = "give either data_volumes or data_total, not both"
        reader.faults.append(Fault("data_total", "contradiction", template))
    total = reader.gib("data_total", reader.form["data_total"])
    default = 1 if "data_volumes_per_vm" not in reader.form else None
    per_vm = default or reader.integer("data_volumes_per_vm", 1, MOST_VOLUMES_PER_VM) or 1
    if total and total < per_vm * count:
        params = {"volumes": per_vm * count}
        reader.faults.append(
            Fault("data_total", "too_small", "{volumes} volumes need at least 1 GiB each", params)
        )
        return ((),) * count
    sizes = spread(total, per_vm * count)
    reader.within("data_total", max(sizes, default=0))
    return tuple(tuple(Disk(size, volume_type) for size in sizes[first::count]) for first in range(count))


def _volume(reader: "_Reader") -> Draft:
    disks = reader.disks("volumes", reader.volume_type(), MOST_VOLUMES)
    if not disks and not reader.has_fault("volumes"):
        reader.faults.append(Fault("volumes", "missing", "is missing", hint="such as 100GiB"))
    return Draft("volume", volumes=disks, attach_to=reader.text("attach_to", 64))


def _backup(reader: "_Reader") -> Draft:
    return Draft("backup", tier=reader.choice("tier", TIERS) or "")


def _release(reader: "_Reader") -> Draft:
    given = reader.items("resources")
    ids = tuple(dict.fromkeys(str(one).strip() for one in given))
    if not ids:
        reader.faults.append(Fault("resources", "missing", "is missing", hint="ids of resources"))
    if len(ids) > MOST_RESOURCES:
        reader.faults.append(
            Fault("resources", "too_many", "at most {most} at a time", {"most": MOST_RESOURCES})
        )
    with_volumes = str(reader.form.get("with_volumes", "")).lower() in ("true", "1", "yes", "on")
    return Draft("release", resources=ids, with_volumes=with_volumes)


_DRAFTS: dict[str, Callable[["_Reader"], Draft]] = {
    "project": _project,
    "vm": _vm,
    "volume": _volume,
    "backup": _backup,
    "release": _release,
}


class _Reader:
    """Takes values out of a form and gathers what is wrong with them."""

    def __init__(self, form: Mapping[str, Any], catalogue: Catalogue) -> None:
        self.form = form
        self.catalogue = catalogue
        self.faults: list[Fault] = []

    def has_fault(self, place: str) -> bool:
        return any(fault.place.split("[")[0] == place for fault in self.faults)

    def refuse_unknown(self, known: frozenset[str]) -> None:
        for key in self.form:
            if key not in known:
                near = suggestion(str(key), known)
                hint = "did you mean {near}?" if near else None
                self.faults.append(
                    Fault(str(key), "unknown_key", "is no field of this form", {"near": near}, hint)
                )

    def missing(self, place: str, hint: str | None = None, **params: object) -> None:
        self.faults.append(Fault(place, "missing", "is missing", params, hint))

    def text(self, key: str, most: int, is_needed: bool = False) -> str | None:
        value = self.form.get(key)
        text = "" if value is None else str(value).strip()
        if not text:
            if is_needed:
                self.missing(key)
            return None
        if not isinstance(value, str | int) or len(text) > most or not text.isprintable():
            params = {"most": most}
            self.faults.append(
                Fault(key, "bad_text", "must be one line of at most {most} characters", params)
            )
        return text

    def choice(self, key: str, known: tuple[str, ...], default: str | None = None) -> str | None:
        value = self.form.get(key, default)
        if value is None:
            self.missing(key, "one of {known}", known=", ".join(known))
            return None
        if value not in known:
            self.faults.append(unknown(key, str(value), known))
            return None
        return str(value)

    def name(self, key: str, known: Iterable[str]) -> str:
        return self.choice(key, tuple(known)) or ""

    def volume_type(self) -> str:
        known = self.catalogue.volume_types
        return self.choice("volume_type", known, known[0] if known else None) or ""

    def integer(self, key: str, least: int, most: int) -> int | None:
        value = self.form.get(key)
        if value is None:
            self.missing(key)
            return None
        is_whole = not isinstance(value, bool) and re.fullmatch(r"\d{1,9}", str(value).strip())
        if not is_whole or not least <= int(value) <= most:
            params = {"least": least, "most": most}
            self.faults.append(Fault(key, "out_of_range", "must be a number from {least} to {most}", params))
            return None
        return int(value)

    def size(self, key: str, default: str | None = None) -> int:
        value = self.form.get(key, default)
        return self.one_size(key, value)

    def one_size(self, place: str, value: Any) -> int:
        return self.within(place, self.gib(place, value))

    def gib(self, place: str, value: Any) -> int:
        try:
            return parse_gib(value, place)
        except BadInput as error:
            self.faults += error.faults
            return 0

    def within(self, place: str, gib: int) -> int:
        if gib > MOST_GIB:
            params = {"most": MOST_GIB}
            self.faults.append(Fault(place, "too_big", "a volume has at most {most} GiB", params))
            return 0
        return gib

    def items(self, key: str) -> list[Any]:
        """A list as JSON has it, or as a form field has it: with commas."""
        value = self.form.get(key, [])
        if isinstance(value, str):
            return [part for part in re.split(r"[,\s]+", value) if part]
        return list(value) if isinstance(value, list | tuple) else [value]

    def disks(self, key: str, volume_type: str, most: int) -> tuple[Disk, ...]:
        given = self.items(key)
        if len(given) > most:
            self.faults.append(Fault(key, "too_many", "at most {most} volumes", {"most": most}))
            return ()
        return tuple(self._disk(f"{key}[{index}]", one, volume_type) for index, one in enumerate(given))

    def _disk(self, place: str, given: Any, volume_type: str) -> Disk:
        if not isinstance(given, Mapping):
            return Disk(self.one_size(place, given), volume_type)
        for key in sorted(set(given) - {"size", "size_gib", "type"}):
            self.faults.append(Fault(f"{place}.{key}", "unknown_key", "is no field of a volume"))
        kind = given.get("type", volume_type)
        if kind not in self.catalogue.volume_types:
            self.faults.append(unknown(f"{place}.type", str(kind), self.catalogue.volume_types))
        return Disk(self.one_size(place, given.get("size", given.get("size_gib"))), str(kind))

    def ssh_key(self) -> str:
        value = self.form.get("ssh_key")
        if value is None:
            self.missing("ssh_key", "paste the line of a .pub file")
            return ""
        key, fault = ssh_keys.check(str(value))
        self.faults += [fault] if fault else []
        return key
