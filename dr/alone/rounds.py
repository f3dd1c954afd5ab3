"""What happens every few seconds without anybody asking: exports are put, a standby takes them in, and the
home sees who works alone."""

import logging
from collections.abc import Callable

from cloudctl.core import Core
from cloudctl.errors import CloudctlError, StoreUnavailable
from cloudctl.models import SiteExport
from cloudctl.observing import ALONE, STANDING_BY, restore_in_force, standby_of
from cloudctl.ports import Stores
from dr.alarm import raise_alarm
from dr.alone import importing, keys, sealing
from dr.alone.exporting import export_due
from dr.alone.importing import Opening
from dr.alone.sealing import HOME, Head
from dr.keyring import Keyring

log = logging.getLogger(__name__)

_ALONE = "{site} works alone since {at}: what it did has to be merged (cloudctl dr merge)"


def go_round(core: Core, stores: Stores, keyring: Callable[[], Keyring]) -> None:
    """One round, whichever part this installation has. Errors of vaults are put on record, not raised."""
    with core.store.read() as uow:
        standby, restored = standby_of(uow), restore_in_force(uow)
    if restored is not None or (standby is None and not keys.sites(core.settings)):
        return
    if standby is not None and standby.state == STANDING_BY:
        take_in_due(core, stores)
        return
    export_due(core, stores, keyring())
    if standby is not None and standby.state == ALONE:
        watch_home(core, stores)
    else:
        look_back(core, stores, keyring())


def take_in_due(core: Core, stores: Stores) -> bool:
    """Take in the newest export, when it has another body than the last; whether it did."""
    with core.store.read() as uow:
        row = importing.standby_in(uow)
    try:
        opened, _site = importing.opening(core.settings.keys / keys.PRIVATE)
        head = importing.look(stores, opened, row.source)
        known = row.head or {}
        if head.body_sha256 == known.get("body_sha256"):
            importing.note(core, head)
            return False
        importing.take_in(core, importing.read(stores, opened, row.source))
    except StoreUnavailable:
        raise
    except CloudctlError as error:
        log.warning("nothing was taken in: %s", error)
        importing.note_error(core, error.text())
        return False
    return True


def watch_home(core: Core, stores: Stores) -> Head | None:
    """The newest head of the home, as far as it can be read from here; when it speaks, that is on record."""
    with core.store.read() as uow:
        row = importing.standby_in(uow)
    try:
        opened, _site = importing.opening(core.settings.keys / keys.PRIVATE)
        head = importing.look(stores, opened, row.source)
    except StoreUnavailable:
        raise
    except CloudctlError as error:
        importing.note_error(core, error.text())
        return None
    importing.note(core, head)
    return head


def way_back(core: Core, keyring: Keyring, site: str) -> Opening:
    """How the home reads what a site put while it was alone."""
    signers = keyring.trusted()
    return Opening(core.settings.installation, signers, site, HOME, lambda head: keyring.take(head.boxed))


def look_back(core: Core, stores: Stores, keyring: Keyring) -> list[str]:
    """The sites that work alone, or did so and are not merged; the people of both are told once."""
    found = []
    for site in keys.sites(core.settings):
        try:
            head = importing.look(stores, way_back(core, keyring, site), site)
        except StoreUnavailable:
            raise
        except CloudctlError:
            continue
        found.append(site)
        _note_alone(core, site, head)
    return found


def _note_alone(core: Core, site: str, head: Head) -> None:
    assert head.alone_at is not None
    with core.store.write() as uow:
        row = uow.get(SiteExport, site) or uow.add(SiteExport(site_id=site))
        is_known = (row.back or {}).get("alone_at") == head.alone_at.isoformat()
        row.back = sealing.told(head)
        if not is_known:
            params = {"site": site, "at": head.alone_at.isoformat()}
            raise_alarm(uow, core.clock, site, _ALONE, params, ("site_export", site))
