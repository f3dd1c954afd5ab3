"""Use cases of a site: look at a cloud before it is one, and check one that is.

Nothing here changes anything on a cloud, but default quotas where that is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudctlError, Fault, Refused
from cloudctl.models import CatalogueItem, Site, SiteZone
from cloudctl.notices import settle, tell
from cloudctl.ports import Cloud, Clouds, ConnectableClouds, Inspection, Named, Right, ServiceState
from cloudctl.store import UnitOfWork
from provisioning import administrators, fitness
from provisioning.fitness import Found, Wanted, WantedItem, WantedZone

Json = dict[str, Any]


def connect(
    core: Core,
    clouds: ConnectableClouds,
    actor: Actor,
    site_id: str | None = None,
    cloud: str | None = None,
    mode: str = fitness.MANAGED,
) -> Json:
    """Look at a cloud of the user's own and say exactly what it lacks to be a site in this mode.

    `cloud` is an entry of clouds.yaml, by default the one that the topology names for the site. Stores
    nothing (the site itself comes from the topology file) but the audit event; changes nothing on the cloud.
    Misconfigured when the entry cannot be used; BadInput for an unknown mode.
    """
    actor.must("site.connect", [("site", site_id)] if site_id else [])
    if mode not in (fitness.OBSERVE, fitness.MANAGED):
        fault = Fault("mode", "bad_mode", "'{mode}' is no mode", {"mode": mode}, "write managed or observe")
        raise BadInput("the cloud cannot be connected like this", faults=[fault])
    entry, wanted = _candidate(core, site_id, cloud, mode)
    found = _look(clouds.of_entry(entry))
    faults = fitness.problems(wanted, found)
    with core.store.write() as uow:
        outcome = {"cloud": entry, "mode": mode, "problems": [str(fault) for fault in faults]}
        core.audit.record(
            uow, actor.user_id, "site.connect", "site", site_id or entry, outcome, actor.trace_id
        )
    return {
        "id": site_id or entry,
        "name": entry,
        "cloud": entry,
        "mode": mode,
        **_report(wanted, found, faults),
        "topology": _snippet(site_id or entry, entry, mode) if site_id is None else None,
    }


def check(core: Core, clouds: Clouds, actor: Actor, site_id: str, zero_default_quotas: bool = False) -> Json:
    """Look at a site: signing in, every service, clock, rights, the catalogue's names, default quotas.

    The result is kept on the site's row; administrators get a notice when a site stops being ok. With
    `zero_default_quotas` the cloud's default quotas are set to zero first where its API can; Refused at a
    site that is only observed.
    """
    actor.must("site.sync", [("site", site_id)])
    title, wanted = _known(core, site_id)
    if zero_default_quotas:
        _zero_default_quotas(core, clouds, actor, site_id, wanted.mode)
    try:
        found = _look(clouds.at(site_id))
    except CloudctlError as error:  # clouds.yaml itself
        found = Found(Inspection("", (), (ServiceState("identity", False, error.text()),), None, {}))
    faults = fitness.problems(wanted, found)
    report = _report(wanted, found, faults)
    with core.store.write() as uow:
        site = uow.for_update(Site, site_id)
        before, site.state, site.checked_at = site.state, report["state"], core.clock.now()
        site.check = {**(site.check or {}), **report}
        details = {"state": site.state, "problems": [f"{fault.place}: {fault.code}" for fault in faults]}
        core.audit.record(uow, actor.user_id, "site.check", "site", site_id, details, actor.trace_id)
        _tell_of_change(core, uow, site_id, before, report)
        checked_at = site.checked_at
    return {"id": site_id, "name": title, "mode": wanted.mode, "checked_at": checked_at, **report}


def _zero_default_quotas(core: Core, clouds: Clouds, actor: Actor, site_id: str, mode: str) -> None:
    actor.must("site.connect", [("site", site_id)])
    if mode == fitness.OBSERVE:
        raise Refused("site '{site}' is only observed; nothing is changed there", site=site_id)
    with core.store.write() as uow:  # on record before the cloud is asked
        name = "site.zero_default_quotas"
        core.audit.record(uow, actor.user_id, name, "site", site_id, {}, actor.trace_id)
    clouds.at(site_id).zero_default_quotas()  # what it could not set shows as a problem of the look


def _tell_of_change(core: Core, uow: UnitOfWork, site_id: str, before: str, report: Json) -> None:
    """One notice when a site gets worse; nobody has to act any more once it is ok."""
    subject = ("site", site_id)
    if report["state"] == fitness.OK:
        settle(uow, core.clock, subject)
    elif report["state"] != before:
        params = {"site": site_id, "state": report["state"], "count": len(report["problems"])}
        people = administrators.of_site(uow, site_id)
        words = "site {site} is {state}: {count} problems, see its last check"
        tell(uow, core.clock, people, words, params, subject, needs_action=True)


# -- reading what is wanted and what is there -----------------------------------------------------------


def _known(core: Core, site_id: str) -> tuple[str, Wanted]:
    """The title of a site and what the topology expects of it. NotFound when there is none."""
    with core.store.read() as uow:
        site = uow.need(Site, site_id)
        return site.title, Wanted(site.mode, _items(uow, site_id), _zones(uow, site_id))


def _candidate(core: Core, site_id: str | None, cloud: str | None, mode: str) -> tuple[str, Wanted]:
    """The entry of clouds.yaml to look at, and what is expected: much where the site is known already."""
    with core.store.read() as uow:
        site = uow.get(Site, site_id) if site_id else None
        entry = cloud or (site.cloud if site else site_id)
        if not entry:
            fault = Fault("cloud", "missing", "name an entry of clouds.yaml")
            raise BadInput("which cloud is to be connected?", faults=[fault])
        return entry, Wanted(mode, _items(uow, site_id or entry), _zones(uow, site_id or entry))


def _items(uow: UnitOfWork, site_id: str) -> tuple[WantedItem, ...]:
    rows = uow.all(
        CatalogueItem, CatalogueItem.retired_at.is_(None), order_by=[CatalogueItem.kind, CatalogueItem.name]
    )
    return tuple(
        WantedItem(row.kind, row.name, (row.site_names or {}).get(site_id) or row.name, row.spec or {})
        for row in rows
    )


def _zones(uow: UnitOfWork, site_id: str) -> tuple[WantedZone, ...]:
    rows = uow.all(
        SiteZone, SiteZone.site_id == site_id, SiteZone.retired_at.is_(None), order_by=[SiteZone.zone]
    )
    return tuple(
        WantedZone(row.zone, row.network, tuple(one for one in (row.ipv4, row.ipv6) if one)) for row in rows
    )


def _look(cloud: Cloud) -> Found:
    inspection = cloud.inspect()
    if not fitness.is_reachable(inspection):
        return Found(inspection)
    offers: dict[str, Sequence[Named]] = {}
    asks: Mapping[str, Callable[[], Sequence[Named]]] = {
        "flavor": cloud.list_flavors,
        "image": cloud.list_images,
        "volume_type": cloud.list_volume_types,
        "network": cloud.list_networks,
    }
    for kind, ask in asks.items():
        try:
            offers[kind] = ask()
        except CloudctlError:
            continue  # the service or the right is named among the problems already
    return Found(inspection, tuple(_rights(cloud)), offers)


def _rights(cloud: Cloud) -> Sequence[Right]:
    try:
        return cloud.rights()
    except CloudctlError as error:
        return [Right("identity:show_token", "to know the other rights", False, "observe", error.text())]


# -- telling ----------------------------------------------------------------------------------------------


def _report(wanted: Wanted, found: Found, faults: Sequence[Fault]) -> Json:
    """What is shown and stored: plain data, the problems with template and parameters for translation."""
    inspection = found.inspection
    return {
        "state": fitness.state(found, faults),
        "user": inspection.user,
        "roles": list(inspection.roles),
        "services": [
            {"name": one.name, "is_ok": one.is_ok, "detail": one.detail} for one in inspection.services
        ],
        "clock_ahead_s": inspection.clock_ahead_s,
        "default_quotas": dict(inspection.default_quotas),
        "rights": [
            {"name": one.name, "why": one.why, "is_held": one.is_held, "needed_for": one.needed_for,
             "detail": one.detail}
            for one in found.rights
        ],
        "missing_rights": [one.name for one in fitness.missing_rights(wanted.mode, found.rights)],
        "offers": {kind: sorted(one.name for one in rows) for kind, rows in found.offers.items()},
        "problems": [_told(one) for one in faults],
        "advice": [_told(one) for one in fitness.advice(wanted, found)],
    }  # fmt: skip


def _told(fault: Fault) -> Json:
    return {
        "place": fault.place,
        "code": fault.code,
        "message": fault.text(),
        "template": fault.template,
        "params": dict(fault.params),
        "hint": fault.hint,
    }


def _snippet(site_id: str, entry: str, mode: str) -> Json:
    """What to write under `sites` of the topology file to make this cloud a site."""
    return {"name": site_id, "title": entry, "role": "city", "cloud": entry, "mode": mode, "slots": 8}
