"""Copies of the database that are given up: their lock has run out, and enough newer ones are proved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.config import Settings
from cloudctl.errors import CloudctlError, LeaseLost, StoreUnavailable
from cloudctl.models import DatabaseCopy
from cloudctl.operations import Run
from cloudctl.ports import Purpose, Stores
from dr.database.job import EXPIRED, FAILED, MAKING, PROTECTED, write_vault
from dr.points.head import data_prefix

LEAST = 7  # so many that are proved stay, however old they are


@dataclass(frozen=True)
class Kept:
    """A copy as the decision wants it."""

    id: str
    state: str
    created_at: datetime
    locked_until: datetime | None


def given_up(copies: Sequence[Kept], keep: timedelta, now: datetime, least: int) -> list[str]:
    """Those that go: not locked any more, and neither being made nor one of the newest that are proved. Pure.

    What never became complete goes when its lock, had it one, would have run out.
    """
    newest = sorted((one for one in copies if one.state == PROTECTED), key=lambda one: one.created_at)
    stays = {one.id for one in newest[max(0, len(newest) - least) :]}
    return [
        one.id
        for one in copies
        if one.state not in (MAKING, EXPIRED)
        and one.id not in stays
        and (one.locked_until or one.created_at + keep) <= now
    ]


def expire_old(run: Run, stores: Stores, settings: Settings) -> None:
    """Delete the objects of what is given up; the heads stay. A vault that does not answer has its turn next
    time: the copy stays on record until every vault is rid of it."""
    with run.store.read() as uow:
        rows = uow.all(DatabaseCopy, DatabaseCopy.state != EXPIRED)
    copies = [Kept(row.id, row.state, row.created_at, row.locked_until) for row in rows]
    gone = set(given_up(copies, timedelta(seconds=settings.database_keep_s), run.clock.now(), LEAST))
    for row in rows:
        if row.id in gone:
            _expire(run, stores, settings, row)


def _expire(run: Run, stores: Stores, settings: Settings, copy: DatabaseCopy) -> None:
    left = []
    for site, told in sorted(copy.vaults.items()):
        if told["state"] == EXPIRED:
            continue
        try:
            run.must_hold()
            _empty(stores, site, data_prefix(settings.installation, copy.id))
        except (LeaseLost, StoreUnavailable):
            raise
        except CloudctlError as error:
            left.append(f"{site}: {error.text()}")
            continue
        with run.write() as (uow, _operation):
            write_vault(uow, copy.id, site, state=EXPIRED, level=None)
    with run.write() as (uow, _operation):
        row = uow.need(DatabaseCopy, copy.id)
        if not left:
            was = row.state
            row.state, row.level, row.kept_key = EXPIRED, None, ""
            note = (
                f"copy {row.sequence} is given up"
                if was != FAILED
                else f"what copy {row.sequence} left is gone"
            )
            run.journal(uow, f"expire {row.sequence}", "done", note)
        else:
            run.journal(uow, f"expire {row.sequence}", "failed", "; ".join(left))


def _empty(stores: Stores, site: str, prefix: str) -> None:
    expire = stores.vault(site, Purpose.EXPIRE)
    for one in list(stores.vault(site, Purpose.READ).list_versions(prefix)):
        expire.delete(one.key, one.version_id)
