"""`cloudctl init --restore-from`: an installation out of a vault into an empty home, observing only.

`cloudctl.yaml` is written last: until then nothing in the home works, and the same command begins anew. The
database is marked before it is put in its place, so it can never act by itself.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cloudctl import bootstrap, dumps
from cloudctl.actors import INSTALLATION, RIGHTS
from cloudctl.audit import Audit
from cloudctl.clock import Clock, SystemClock
from cloudctl.config import FILE_NAME, Settings, parse
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, NotProved
from cloudctl.escrow import EscrowKey
from cloudctl.initialise import MADE, TO_DO, Part, Wish, make_home, without_password, write_configuration
from cloudctl.models import DatabaseRestore, RoleGrant
from cloudctl.notices import tell
from cloudctl.ports import ObjectStore, Purpose, Stores
from cloudctl.secrets import Box, Signer, write_private
from cloudctl.store import Store
from dr.database import recovery, taking_up
from dr.database.confirming import SUBJECT
from dr.database.examining import Examined, examine
from dr.database.fetching import choose, fetch, find
from dr.database.packing import DATABASE, Home, read_home, write_heads
from dr.points.manifest import Manifest
from dr.points.reading import FoundPoint, Reading, unlocked
from dr.vaults import site_of

UNFINISHED = (
    "restoring"  # a folder in the home: files of the copy, and the sign that the last try did not end
)


@dataclass(frozen=True)
class Source:
    """Out of what: the site of a vault or `s3://BUCKET`, the file of the recovery key, and which copy (the
    newest where none is named; the first characters do)."""

    vault: str
    recovery_key: Path
    copy: str = ""


@dataclass(frozen=True)
class BroughtBack:
    """The parts of the installation, the copy they came from, and what was odd in the vault."""

    parts: tuple[Part, ...]
    copy: FoundPoint
    examined: Examined | None  # None: nothing was written
    notes: tuple[Fault, ...]


@dataclass(frozen=True)
class _Found:
    """Everything that was read before anything is written."""

    key: EscrowKey
    site: str
    vault: ObjectStore
    reading: Reading
    chosen: FoundPoint


def bring_back(
    home: Path,
    wish: Wish,
    source: Source,
    by: str,
    dry_run: bool = False,
    stores: Stores | None = None,
    clock: Clock | None = None,
) -> BroughtBack:
    """Make an installation of the copy: database, keys, settings, signed heads. `by` is who did it.

    The home must be empty but for stores.yaml; a PostgreSQL that `wish` names must be. Conflict when it is
    not; BadInput for a key that is none; NotProved when the vault has no copy, or it is not whole.
    """
    _must_be_empty(home)
    found = _find(stores or bootstrap.open_stores(Settings(home=home)), source)
    notes = (*found.reading.faults, *found.reading.notes)
    if dry_run:
        part = Part("database", TO_DO, without_password(wish.database) or str(home), _told(found.chosen))
        return BroughtBack((part,), found.chosen, None, notes)
    parts = [make_home(home)]
    folder = home / UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)
    head = found.chosen.head
    manifest = fetch(found.vault, head, unlocked(head, found.key), folder)
    back = read_home(folder)
    settings = _settings(home, wish, back)
    examined = _restore(settings, folder, found, manifest, back, by, clock or SystemClock())
    keys = ", ".join(sorted(back.keys))
    parts.append(Part("keys", MADE, str(settings.keys), keys))
    parts.append(Part("database", MADE, without_password(settings.database_url), _told(found.chosen)))
    parts.append(write_configuration(settings, {**back.settings, "installation": back.installation}))
    shutil.rmtree(folder)
    return BroughtBack(tuple(parts), found.chosen, examined, notes)


def _must_be_empty(home: Path) -> None:
    if (home / FILE_NAME).exists():
        raise Conflict("there is an installation in {home} already", home=str(home))
    if (home / UNFINISHED).exists():
        return  # what lies there is of the last try
    there = [str(path) for path in (home / "keys", home / "cloudctl.db") if path.exists()]
    if there:
        hint = "name an empty home in CLOUDCTL_HOME, with stores.yaml in it and nothing else"
        raise Conflict("{paths} would be written over", paths=", ".join(there), hint=hint)


def _find(stores: Stores, source: Source) -> _Found:
    key = EscrowKey.read(source.recovery_key)
    if key.site != recovery.SITE:
        fault = Fault(
            str(source.recovery_key), "other_key", "this is the escrow key of {site}", {"site": key.site}
        )
        raise BadInput("a database opens with the recovery key only", faults=[fault])
    site = site_of(stores, source.vault)
    vault = stores.vault(site, Purpose.READ)
    reading = find(vault, key)
    return _Found(key, site, vault, reading, choose(reading.points, vault, source.copy))


def _settings(home: Path, wish: Wish, back: Home) -> Settings:
    """Those of the copy, with the database and broker of this machine."""
    document = {**back.settings, "installation": back.installation}
    return replace(parse(home, document), database=wish.database, broker=wish.broker)


def _restore(
    settings: Settings, folder: Path, found: _Found, manifest: Manifest, back: Home, by: str, clock: Clock
) -> Examined:
    """Fill the database, examine it, mark it, and only then put it in its place."""
    dialect, url = str(manifest.topology["dialect"]), settings.database_url
    is_file = url.startswith("sqlite")
    if is_file != (dialect == dumps.SQLITE):
        fault = Fault("database", "other_kind", "the copy is of {kind}", {"kind": dialect})
        raise BadInput("a copy goes back into a database of its own kind", faults=[fault])
    place = Path(url.removeprefix("sqlite:///"))
    working = place.with_name(place.name + ".restoring")
    store = Store(f"sqlite:///{working}" if is_file else url)
    try:
        if is_file:
            working.unlink(missing_ok=True)
        elif store.schema_version()[0] is not None:
            raise Conflict("the database at {url} is not empty", url=without_password(url))
        dumps.load(folder / DATABASE, dialect, store.engine.url.render_as_string(hide_password=False))
        examined = examine(store, folder, manifest.topology, clock)
        if examined.faults:
            raise NotProved("the database that came back is not whole", faults=examined.faults)
        for name, content in back.keys.items():
            write_private(settings.keys / name, content)
        write_heads(folder, settings.audit_heads)
        store.migrate()
        _mark(settings, store, found, manifest, by, clock)
    finally:
        store.close()
    if is_file:
        working.replace(place)
    return examined


def _mark(settings: Settings, store: Store, found: _Found, manifest: Manifest, by: str, clock: Clock) -> None:
    """From here on the database knows that it came back, and observes until two people confirm."""
    audit = Audit(clock, Signer(settings.keys / bootstrap.AUDIT_KEY), settings.audit_heads)
    core = Core(settings, store, clock, audit, bootstrap.SilentBell())
    box, head = Box(settings.keys / bootstrap.BOX_KEY), found.chosen.head
    source = f"s3://{found.vault.bucket}"
    with store.write() as uow:
        origin = taking_up.Origin(found.site, found.key, found.reading.points, found.chosen, manifest)
        taking_up.take_up(uow, clock, box, origin)
        row = uow.add(
            DatabaseRestore(
                copy_id=head.point,
                source=source,
                taken_at=head.taken_at,
                restored_at=clock.now(),
                restored_by=by,
            )
        )
        deciding = [role.value for role in RIGHTS["database.confirm"]]
        here = (RoleGrant.scope_kind == INSTALLATION[0], RoleGrant.role.in_(deciding))
        template = "the database came back from {source}, as of {taken_at}: look at the clouds, then confirm"
        params = {"source": source, "taken_at": head.taken_at.isoformat()}
        people = uow.column(RoleGrant.user_id, *here)
        tell(uow, clock, people, template, params, (SUBJECT, row.id), needs_action=True)
        details = {"copy": head.point, "source": source, "taken_at": head.taken_at.isoformat()}
        core.audit.record(uow, by, "database.restore", SUBJECT, row.id, details)


def _told(found: FoundPoint) -> str:
    head = found.head
    return f"copy {head.sequence} ({head.point[:8]}) of {head.taken_at:%Y-%m-%d %H:%M} UTC"
