"""What the home exported, taken in by the cloudctl of a site: row by row the same, and nothing begun by it.

It is read first, with no transaction open; then one transaction makes the tables as they are at the home. An
export that is older than what is known is refused, and so is one of another version of the schema.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl import mirror
from cloudctl.core import Core
from cloudctl.envelopes import DataKey
from cloudctl.errors import Conflict, Fault, NotProved, ObjectMissing, Refused, WrongState
from cloudctl.models import Standby
from cloudctl.observing import STANDING_BY, standby_of
from cloudctl.ports import Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.alone import keys, sealing, tables
from dr.alone.sealing import HOME, Head
from dr.vaults import site_of

Json = dict[str, Any]
BUCKET = "s3://"


@dataclass(frozen=True)
class Found:
    """An export as it was read, and the place it came from."""

    head: Head
    content: Json
    source: str


@dataclass(frozen=True)
class Opening:
    """What an export is read with: whose it has to be, and what opens its body."""

    installation: str
    signers: tuple[str, ...]
    by: str
    to: str
    open_key: Callable[[Head], DataKey]


def opening(settings_key: Path) -> tuple[Opening, str]:
    """With the standby key of a site; and the site."""
    key, site = keys.read(settings_key)

    def open_key(head: Head) -> DataKey:
        return key.unwrap(head.wrapped, head.context)

    return Opening(key.installation, key.signers, HOME, site, open_key), site


def look(stores: Stores, opened: Opening, source: str) -> Head:
    """The newest head at `source`: `s3://BUCKET` or a site of stores.yaml, or the whole path of a file.

    NotProved when there is none that can be trusted.
    """
    return _head(opened, _raw_head(stores, opened, source))


def read(stores: Stores, opened: Opening, source: str) -> Found:
    """The newest export there. NotProved, SealBroken; the errors of the vault."""
    raw = _raw_head(stores, opened, source)
    head = _head(opened, raw)
    if _is_file(source):
        body = sealing.of_file(Path(source).read_bytes())[1]
    else:
        vault = stores.vault(site_of(stores, source), Purpose.READ)
        try:
            body = vault.read(head.body)
        except ObjectMissing as error:  # another one was put in between
            raise Conflict("the export changed while it was read") from error
    return Found(head, sealing.read_body(head, body, opened.open_key), source)


def take_in(core: Core, found: Found) -> Standby:
    """Make the tables as they are at the home. The row of the standby as it is then.

    WrongState while it works alone; Refused for an older export, or one of another schema.
    """
    try:
        return _take_in(core, found, is_cleared=False)
    except Conflict:  # two rows that changed places
        return _take_in(core, found, is_cleared=True)


def note(core: Core, head: Head, error: str = "") -> None:
    """The home is at work, as the newest head says; or why that is not known."""
    with core.store.write() as uow:
        row = standby_of(uow)
        if row is not None:
            row.error = error
            if row.seen_at is None or head.seen_at > row.seen_at:
                row.seen_at = head.seen_at


def note_error(core: Core, error: str) -> None:
    """Why nothing could be read in this round."""
    with core.store.write() as uow:
        row = standby_of(uow)
        if row is not None:
            row.error = error


# -- the pieces


def _take_in(core: Core, found: Found, is_cleared: bool) -> Standby:
    schema, head = core.store.schema_version()[0], found.head
    if found.content["schema"] != schema:
        raise Refused("the export has schema {found}, and this cloudctl {wanted}: install the same version",
                      found=found.content["schema"], wanted=schema)  # fmt: skip
    with core.store.write() as uow:
        row = standby_of(uow) or uow.add(
            Standby(id=1, site_id=head.to, source=found.source, state=STANDING_BY)
        )
        row = uow.for_update(Standby, 1)
        _must_fit(row, head)
        if is_cleared:
            mirror.clear(uow, tables.KEPT)
        changed = mirror.write(uow, tables.KEPT, found.content["tables"])
        row = uow.for_update(Standby, 1)
        keys.put_shared(core.settings, found.content["keys"])  # before it counts as taken in
        is_news = (row.head or {}).get("tables_sha256") != head.tables_sha256
        row.head, row.seen_at, row.taken_in_at = sealing.told(head), head.seen_at, core.clock.now()
        row.going, row.source, row.error = found.content["going"], found.source, ""
        if is_news and changed:
            details = {"sequence": head.sequence, "rows": changed, "source": found.source}
            core.audit.record(uow, "system", "alone.import", "standby", row.site_id, details)
    return row


def _must_fit(row: Standby, head: Head) -> None:
    if row.state != STANDING_BY:
        raise WrongState("{site} works alone: nothing is taken in before that has ended", site=row.site_id)
    if row.site_id != head.to:
        raise Refused("the export is for {other}, and this is the cloudctl of {site}",
                      other=head.to, site=row.site_id)  # fmt: skip
    known = row.head or {}
    if known and (head.sequence, head.seen_at.isoformat()) < (known["sequence"], known["seen_at"]):
        raise Refused("the export is older than what is known: {number} of {at}", number=head.sequence,
                      at=head.seen_at.isoformat())  # fmt: skip


def _head(opened: Opening, raw: bytes) -> Head:
    head = sealing.read_head(raw, opened.signers, opened.installation)
    if (head.by, head.to) != (opened.by, opened.to):
        params = {"found": f"{head.by} -> {head.to}", "wanted": f"{opened.by} -> {opened.to}"}
        fault = Fault("export", "other_receiver", "it is {found}, and {wanted} was looked for", params)
        raise NotProved("the export cannot be used", faults=[fault])
    return head


def _raw_head(stores: Stores, opened: Opening, source: str) -> bytes:
    if _is_file(source):
        return sealing.of_file(Path(source).read_bytes())[0]
    vault = stores.vault(site_of(stores, source), Purpose.READ)
    try:
        return vault.read(sealing.head_key(opened.installation, opened.by, opened.to))
    except ObjectMissing as error:
        fault = Fault(f"{BUCKET}{vault.bucket}", "missing", "nothing was exported to here")
        raise NotProved("the export cannot be used", faults=[fault]) from error


def _is_file(source: str) -> bool:
    return source.startswith("/") and Path(source).is_file()


def standby_in(uow: UnitOfWork) -> Standby:
    """The row of a site's cloudctl. WrongState where this is no standby."""
    row = standby_of(uow)
    if row is None:
        raise WrongState("this installation is nobody's standby")
    return row
