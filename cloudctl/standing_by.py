"""`cloudctl dr import`: the cloudctl of a site, set up out of what the home exported, or brought up to date.

`cloudctl.yaml` is written last: until then nothing in the home works, and the same command begins anew. The
database knows that it stands by before anything else is in it, so it never acts by itself.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudctl import bootstrap
from cloudctl.clock import Clock, SystemClock
from cloudctl.config import FILE_NAME, Settings, load
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault
from cloudctl.initialise import Wish, make_home, without_password, write_configuration
from cloudctl.models import User
from cloudctl.observing import standby_of
from cloudctl.ports import Stores
from cloudctl.secrets import Signer, write_private
from dr.alone import importing, keys
from dr.alone.showing import standby_row

Json = dict[str, Any]


def take_in(
    home: Path,
    source: str,
    key: Path | None,
    wish: Wish,
    stores: Stores | None = None,
    clock: Clock | None = None,
) -> Json:
    """Take in the newest export; the first time set the home up for it. How the standby is, as a row.

    The first time the home is empty but for stores.yaml, and `key` is the standby key of the site. `source`:
    a site of stores.yaml, `s3://BUCKET` or a file; empty: where the last one came from. BadInput, Conflict;
    NotProved for what nobody who is trusted has signed; Refused for an older one.
    """
    clock = clock or SystemClock()
    is_new = not (home / FILE_NAME).exists()
    settings = Settings(home=home, database=wish.database, broker=wish.broker) if is_new else load(home)
    file = key if key is not None else settings.keys / keys.PRIVATE
    if is_new and (key is None or not source):
        faults = [Fault(name, "missing", "is missing") for name in ("key", "from")]
        raise BadInput("a new standby needs its key and a place of exports", faults=faults)
    opened, _site = importing.opening(file)
    settings = replace(settings, installation=opened.installation)
    return _with_core(home, settings, source, file, stores or bootstrap.open_stores(settings), clock)


def _with_core(home: Path, settings: Settings, source: str, file: Path, stores: Stores, clock: Clock) -> Json:
    """Read everything that is needed before anything is written."""
    opened, _site = importing.opening(file)
    found = importing.read(stores, opened, source) if source else None
    make_home(home)
    private, audit = settings.keys / keys.PRIVATE, settings.keys / bootstrap.AUDIT_KEY
    settings.keys.mkdir(mode=0o700, exist_ok=True)
    if not audit.exists():
        Signer.make_key(audit)
    core = bootstrap.open_core(settings, clock, bootstrap.SilentBell())
    try:
        core.store.migrate()
        _must_be_a_standby(core)
        if file != private:
            write_private(private, file.read_bytes())
        if found is None:
            with core.store.read() as uow:
                found = importing.read(stores, opened, importing.standby_in(uow).source)
        row = importing.take_in(core, found)
        write_configuration(settings)
        return standby_row(row, clock.now())
    finally:
        core.store.close()


def _must_be_a_standby(core: Core) -> None:
    """Conflict where the database is that of an installation which acts."""
    with core.store.read() as uow:
        if standby_of(uow) is None and uow.count(User):
            url = without_password(core.store.url)
            raise Conflict("the database at {url} is not empty", url=url)
