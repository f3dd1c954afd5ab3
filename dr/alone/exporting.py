"""What every site needs to work alone, put into its vault: within a minute of a change, and said to hold
again twice a minute.

The home exports to the sites for which a standby key was made. A site that works alone exports the way back,
into its own vault. A standby exports nothing.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cloudctl import __version__
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudctlError, Refused, StoreUnavailable
from cloudctl.escrow import wrap
from cloudctl.mirror import read
from cloudctl.models import AuditEvent, SiteExport
from cloudctl.observing import ALONE, restore_in_force, standby_of
from cloudctl.ports import ObjectStore, Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.alone import keys, sealing, tables
from dr.alone.merged import newest_merged
from dr.alone.rows import Tables, canonical
from dr.alone.sealing import HOME, Head
from dr.alone.showing import exports
from dr.keyring import Keyring

log = logging.getLogger(__name__)

Json = dict[str, Any]
AGAIN = timedelta(seconds=30)  # unchanged: said to hold again
CLAIM = timedelta(seconds=30)  # of a worker that puts; one that is slower puts beside the next


@dataclass(frozen=True)
class Outgoing:
    """What there is to put, for whom, and what was put last."""

    by: str
    vaults: Mapping[str, str]  # receiver -> site of the vault
    content: Json
    tables_sha256: str
    alone_at: datetime | None = None

    @property
    def content_sha256(self) -> str:
        return hashlib.sha256(canonical(self.content)).hexdigest()


def export_due(core: Core, stores: Stores, keyring: Keyring, is_forced: bool = False) -> list[str]:
    """Put what is due, for each receiver; those that have been put to. Any number of workers may call it.

    A vault that does not answer is tried again in the next round; why is on record.
    """
    out = outgoing(core)
    if out is None:
        return []
    done = []
    for receiver, site in sorted(out.vaults.items()):
        row = _claimed(core, receiver, out, is_forced)
        if row is None:
            continue
        try:
            head = _put(core, stores, keyring, out, receiver, site, row)
        except StoreUnavailable:
            raise
        except CloudctlError as error:
            log.warning("the export to %s: %s", receiver, error)
            _release(core, receiver, error=error.text())
            continue
        _record(core, receiver, head, out)
        done.append(receiver)
    return done


def export_now(core: Core, actor: Actor, stores: Stores, keyring: Keyring) -> list[Json]:
    """Put everything now, changed or not; the rows as `exports` tells them.

    Refused where nothing is exported: no site has a standby key, or this is a standby. Needs dr.plan.
    """
    actor.must("dr.plan", actor.scopes("dr.plan"))
    if outgoing(core) is None:
        hint = "make a key for the cloudctl of a site: cloudctl dr export key SITE FILE"
        raise Refused("nothing is exported from here", hint=hint)
    put = export_due(core, stores, keyring, is_forced=True)
    with core.store.write() as uow:
        core.audit.record(uow, actor.user_id, "alone.export", "site_export", ", ".join(put) or "-",
                          {"put": put}, actor.trace_id)  # fmt: skip
        return exports(uow, actor, core.clock.now())


def outgoing(core: Core) -> Outgoing | None:
    """Everything that is exported, of one moment; None where nothing is."""
    sites = keys.sites(core.settings)
    with core.store.read() as uow:
        standby = standby_of(uow)
        if restore_in_force(uow) is not None or (standby is not None and standby.state != ALONE):
            return None
        if standby is None and not sites:
            return None
        found, going = tables.at_rest(read(uow, tables.KEPT))
        content = _content(core, found, going)
        sha256 = tables.sha256_of(found)
        if standby is None:
            content["merged"] = newest_merged(uow)
            return Outgoing(HOME, {site: site for site in sites}, content, sha256)
        content |= {"marks": dict(standby.marks), "events": events_after(uow, standby.audit_seq)}
        return Outgoing(standby.site_id, {HOME: standby.site_id}, content, sha256, standby.alone_at)


def events_after(uow: UnitOfWork, seq: int) -> list[Json]:
    """The events of this installation's own audit chain after one of them."""
    names = ("seq", "actor", "action", "subject_kind", "subject_id", "details", "hash", "previous_hash")
    rows = uow.all(AuditEvent, AuditEvent.seq > seq, order_by=[AuditEvent.seq])
    return [{"at": one.at.isoformat(), **{name: getattr(one, name) for name in names}} for one in rows]


def as_file(core: Core, keyring: Keyring, receiver: str) -> bytes:
    """Everything as one file for a receiver, to be carried there. Refused where nothing is exported to it."""
    out = outgoing(core)
    if out is None or receiver not in out.vaults:
        raise Refused("nothing is exported to {site} from here", site=receiver)
    with core.store.read() as uow:
        row = uow.get(SiteExport, receiver)
        sequence = row.sequence if row is not None else 0
    key, head = DataKey.new(), _fresh(core, keyring, out, receiver, sequence)
    head = _locked(core, keyring, head, key, receiver)
    head, body = sealing.sealed_body(head, key, out.content)
    return sealing.as_file(sealing.signed(head, keyring.signer), body)


# -- the pieces


def _content(core: Core, found: Tables, going: tables.Going) -> Json:
    return {
        "cloudctl": __version__,
        "schema": core.store.schema_version()[0],
        "tables": found,
        "going": going,
        "keys": keys.shared(core.settings),
    }


def _claimed(core: Core, receiver: str, out: Outgoing, is_forced: bool) -> SiteExport | None:
    """The row, for the one worker that puts; None when nothing is due, or another one does."""
    now = core.clock.now()
    with core.store.write() as uow:
        row = uow.get(SiteExport, receiver) or uow.add(SiteExport(site_id=receiver))
        is_due = row.put_at is None or now - row.put_at >= AGAIN or bool(row.error)
        is_due = is_due or is_forced or row.content_sha256 != out.content_sha256
        if not is_due or (row.claimed_until is not None and row.claimed_until > now):
            return None
        row.claimed_until = now + CLAIM
        return row


def _put(
    core: Core, stores: Stores, keyring: Keyring, out: Outgoing, receiver: str, site: str, row: SiteExport
) -> Head:
    """The body where it changed, then the head, then what is not needed any more goes."""
    vault = stores.vault(site, Purpose.WRITE)
    last = sealing.of_told(row.head) if row.content_sha256 == out.content_sha256 and row.head else None
    if last is not None and _is_there(stores, site, last.body):
        head = replace(last, seen_at=core.clock.now(), merged_sha256=_merged(out, receiver))
    else:
        key, head = DataKey.new(), _fresh(core, keyring, out, receiver, row.sequence + 1)
        head = _locked(core, keyring, head, key, receiver)
        head, body = sealing.sealed_body(head, key, out.content)
        vault.put(head.body, body)
    place = sealing.head_key(head.installation, head.by, head.to)
    vault.put(place, sealing.signed(head, keyring.signer))
    _tidy(stores, site, head)
    return head


def _is_there(stores: Stores, site: str, key: str) -> bool:
    """Whether nobody has deleted the body: a worker that was slow, or a person."""
    return any(one.key == key for one in stores.vault(site, Purpose.READ).list(key))


def _fresh(core: Core, keyring: Keyring, out: Outgoing, receiver: str, sequence: int) -> Head:
    now = core.clock.now()
    return Head(
        core.settings.installation, out.by, receiver, sequence, out.tables_sha256, now, now, "", "", "", "",
        _merged(out, receiver), out.alone_at,
    )  # fmt: skip


def _locked(core: Core, keyring: Keyring, head: Head, key: DataKey, receiver: str) -> Head:
    if receiver == HOME:
        return replace(head, boxed=keyring.keep(key))
    return replace(head, wrapped=wrap(key, keys.sites(core.settings)[receiver], head.context))


def _merged(out: Outgoing, receiver: str) -> str:
    return str((out.content.get("merged") or {}).get(receiver, ""))


def _tidy(stores: Stores, site: str, head: Head) -> None:
    """Older bodies and heads go; one that cannot be deleted now has its turn in the next round."""
    reading, expiring = stores.vault(site, Purpose.READ), stores.vault(site, Purpose.EXPIRE)
    prefix = sealing.folder(head.installation, head.by, head.to)
    try:
        _drop_old(reading, expiring, prefix, head)
    except CloudctlError as error:
        log.info("older exports at %s stay for now: %s", site, error)


def _drop_old(reading: ObjectStore, expiring: ObjectStore, prefix: str, head: Head) -> None:
    stays = {head.body, prefix + "head"}
    for one in list(reading.list_versions(prefix)):
        if one.key not in stays or not one.is_latest:
            expiring.delete(one.key, one.version_id)


def _record(core: Core, receiver: str, head: Head, out: Outgoing) -> None:
    with core.store.write() as uow:
        row = uow.for_update(SiteExport, receiver)
        row.sequence, row.head, row.put_at = head.sequence, sealing.told(head), core.clock.now()
        row.content_sha256, row.tables_sha256 = out.content_sha256, out.tables_sha256
        row.claimed_until, row.error = None, ""


def _release(core: Core, receiver: str, error: str) -> None:
    with core.store.write() as uow:
        row = uow.for_update(SiteExport, receiver)
        row.claimed_until, row.error = None, error
