"""What becomes of a request: automatic, to be approved by whom, or refused with every reason. Pure.

Preview, submit, resubmit and the last look before an approval all ask here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from cloudctl.amounts import Amounts
from cloudctl.errors import Fault, Refused, Translate
from tenants.draft import Ask, Disk, Draft
from tenants.ledger_math import Chain, Change, Counter, Place, Shortage, over_quota, simulate
from tenants.stages import Stage


class Verdict(StrEnum):
    """The three things that can become of a request. JSON contract."""

    AUTOMATIC = "automatic"
    NEEDS_APPROVAL = "needs_approval"
    REFUSED = "refused"


@dataclass(frozen=True)
class SystemView:
    """What the decision knows of the system and its department."""

    id: str
    name: str
    department: str
    is_classified: bool = False
    is_retired: bool = False


@dataclass(frozen=True)
class SiteView:
    """What the decision knows of a site."""

    id: str
    title: str
    is_managed: bool = True
    is_retired: bool = False
    zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Room:
    """The counters a request touches, and the chain it touches them along."""

    chain: Chain
    site: str
    counters: Mapping[Place, Counter]

    def shortages(self, needed: Amounts) -> tuple[Shortage, ...]:
        """Every level and kind at which the amounts do not fit."""
        changes = [Change(self.chain, self.site, kind, held=needed[kind]) for kind in needed]
        return simulate(self.counters, changes)[1]

    def without(self, held: Amounts) -> "Room":
        """The room as it would be if these amounts were given back."""
        changes = [Change(self.chain, self.site, kind, held=-held[kind]) for kind in held]
        return replace(self, counters=simulate(self.counters, changes)[0])


@dataclass(frozen=True)
class Who:
    """A stage, and the people who could decide it."""

    stage: Stage
    people: tuple[tuple[str, str], ...] = ()  # login name, name


@dataclass(frozen=True)
class Decision:
    """What becomes of a request, why, and what would be possible instead."""

    verdict: Verdict
    ask: Ask
    system: str
    site: str
    site_why: Fault
    needed: Amounts
    stages: tuple[Who, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    reasons: tuple[Fault, ...] = ()
    nearest: Draft | None = None
    nearest_form: Mapping[str, Any] | None = field(default=None)

    def must_not_be_refused(self) -> None:
        """OverQuota or Refused with every reason and the nearest request that fits."""
        if self.shortages and not self.reasons:
            hint, params = nearest_words(self.nearest)
            raise over_quota(self.shortages, hint, params)
        if self.verdict is Verdict.REFUSED:
            faults = (*self.reasons, *(one.as_fault() for one in self.shortages))
            raise Refused("the request is against the rules", faults=faults)

    def as_json(self, translate: Translate = str) -> dict[str, Any]:
        """The decision for pages, API and CLI."""
        hint, params = nearest_words(self.nearest)
        return {
            "verdict": self.verdict.value,
            "kind": self.ask.draft.kind,
            "system": self.system,
            "environment": self.ask.environment,
            "site": self.site,
            "site_why": self.site_why.text(translate),
            "zone": self.ask.zone,
            "needed": self.needed.as_json(),
            "stages": [
                {**who.stage.as_json(), "who": [{"id": key, "name": name} for key, name in who.people]}
                for who in self.stages
            ],
            "shortages": [
                {**one.as_json(), "message": one.as_fault().text(translate)} for one in self.shortages
            ],
            "reasons": [
                {"place": fault.place, "code": fault.code, "message": fault.text(translate)}
                for fault in self.reasons
            ],
            "nearest": dict(self.nearest_form) if self.nearest_form else None,
            "nearest_text": translate(hint).format(**params) if hint else None,
        }


def choose_site(
    ask: Ask, served_by: Sequence[str], sites: Mapping[str, SiteView]
) -> tuple[str, Fault, list[Fault]]:
    """The site, why it is this one, and the rules against it."""
    if ask.site is not None:
        site, why = ask.site, Fault("site", "site_chosen", "chosen in the form")
    elif served_by:
        site, why = served_by[0], Fault("site", "site_default", "the first cloud that serves the division")
    else:
        return (
            "",
            Fault("site", "no_site", "no cloud serves the division"),
            [Fault("site", "no_site", "no cloud serves the division")],
        )
    view = sites.get(site)
    params = {"site": site, "served_by": ", ".join(served_by)}
    against = []
    if view is None or view.is_retired:
        against.append(Fault("site", "site_retired", "the cloud {site} is no longer in use", params))
    elif not view.is_managed:
        against.append(
            Fault(
                "site",
                "site_observed",
                "the cloud {site} is only observed: nothing can be made there",
                params,
            )
        )
    if site not in served_by:
        template = "the cloud {site} does not serve this department's division"
        against.append(Fault("site", "site_not_serving", template, params, "it is served by {served_by}"))
    return site, why, against


def rules_against(system: SystemView) -> list[Fault]:
    """What about the system itself forbids any request for it."""
    params = {"system": system.id}
    against = []
    if system.is_classified:
        template = "the system {system} is classified: it can never get a resource here"
        against.append(Fault("system", "system_classified", template, params))
    if system.is_retired:
        against.append(
            Fault("system", "system_retired", "the system {system} is no longer in the register", params)
        )
    return against


def nearest(draft: Draft, fits: Callable[[Draft], bool]) -> Draft | None:
    """The largest request like this one that fits: fewer VMs first, then smaller data disks.

    Never another flavor: what runs on it was sized for it.
    """
    whole = draft.servers if draft.kind == "vm" else draft.volumes
    for_count = _largest(1, len(whole) - 1, lambda n: fits(_fewer(draft, n)))
    if for_count:
        return _fewer(draft, for_count)
    if not whole:
        return None
    one = _fewer(draft, 1)
    for_size = _largest(1, one.data_gib - 1, lambda gib: fits(_smaller(one, gib)))
    return _smaller(one, for_size) if for_size else None


def nearest_words(draft: Draft | None) -> tuple[str | None, dict[str, object]]:
    """The nearest request that fits, in words."""
    if draft is None:
        return None, {}
    if draft.kind == "vm":
        params: dict[str, object] = {"servers": len(draft.servers), "data_gib": draft.data_gib}
        return "what would fit: {servers} VMs with {data_gib} GiB of data volumes in all", params
    params = {"volumes": len(draft.volumes), "data_gib": draft.data_gib}
    return "what would fit: {volumes} volumes with {data_gib} GiB in all", params


def as_form(form: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
    """The form, changed so that it asks for this draft."""
    if draft.kind == "volume":
        volumes = [{"size": f"{disk.size_gib}GiB", "type": disk.type} for disk in draft.volumes]
        return {**form, "volumes": volumes}
    changed = {**form, "count": len(draft.servers)}
    if form.get("data_total") not in (None, ""):
        changed["data_total"] = f"{draft.data_gib}GiB"
    elif draft.data_gib:
        changed["data_volumes"] = [
            {"size": f"{disk.size_gib}GiB", "type": disk.type} for disk in draft.servers[0]
        ]
    return changed


def _fewer(draft: Draft, count: int) -> Draft:
    if draft.kind == "vm":
        return replace(draft, servers=draft.servers[:count])
    return replace(draft, volumes=draft.volumes[:count])


def _smaller(draft: Draft, total_gib: int) -> Draft:
    """The same volumes, scaled down to about this total and at least 1 GiB each; grows with the total."""
    was = draft.data_gib

    def scaled(disks: tuple[Disk, ...]) -> tuple[Disk, ...]:
        return tuple(replace(disk, size_gib=max(1, disk.size_gib * total_gib // was)) for disk in disks)

    servers = tuple(scaled(disks) for disks in draft.servers)
    return replace(draft, servers=servers, volumes=scaled(draft.volumes))


def _largest(least: int, most: int, fits: Callable[[int], bool]) -> int | None:
    """The largest number that fits, where all below one that fits do too."""
    if most < least or not fits(least):
        return None
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if fits(middle) else (least, middle - 1)
    return least
