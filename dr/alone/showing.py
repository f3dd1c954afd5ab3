"""How old the exports are, who works alone, and what was merged: for people to look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloudctl.actors import Actor
from cloudctl.models import AloneMerge, SiteExport, Standby
from cloudctl.observing import standby_of
from cloudctl.store import UnitOfWork
from dr.alone.merged import newest_merged

Json = dict[str, Any]
OLD_S = 60.0  # an export that is older is told


def overview(uow: UnitOfWork, actor: Actor, now: datetime) -> Json:
    """Everything about working alone. `state`: home, standby, alone. Needs dr.see."""
    actor.must("dr.see", actor.scopes("dr.see"))  # wherever it is held
    standby = standby_of(uow)
    return {
        "id": "alone",
        "name": standby.site_id if standby is not None else "home",
        "state": standby.state if standby is not None else "home",
        "old_s": OLD_S,
        "standby": standby_row(standby, now) if standby is not None else None,
        "exports": exports(uow, actor, now),
        "merges": [merge_row(one) for one in uow.all(AloneMerge, order_by=[AloneMerge.id.desc()], limit=20)],
    }


def exports(uow: UnitOfWork, actor: Actor, now: datetime) -> list[Json]:
    """Each receiver with the age of what it has. `state`: current, old, missing. Needs dr.see."""
    actor.must("dr.see", actor.scopes("dr.see"))
    merged = newest_merged(uow)
    rows = uow.all(SiteExport, order_by=[SiteExport.site_id])
    return [_row(one, now, merged.get(one.site_id, "")) for one in rows]


def _row(row: SiteExport, now: datetime, merged_sha256: str) -> Json:
    """`alone_at` only while something of that time is not merged."""
    back = row.back if (row.back or {}).get("tables_sha256") != merged_sha256 else {}
    age_s = (now - row.put_at).total_seconds() if row.put_at is not None else None
    state = "missing" if age_s is None else "current" if age_s <= OLD_S else "old"
    return {
        "id": row.site_id,
        "name": row.site_id,
        "state": state,
        "age_s": age_s,
        "put_at": row.put_at,
        "changed_at": _moment(row.head, "changed_at"),
        "sequence": row.sequence,
        "error": row.error,
        "alone_at": _moment(back, "alone_at"),
        "alone_seen_at": _moment(back, "seen_at"),
    }


def _moment(head: Mapping[str, Any] | None, name: str) -> datetime | None:
    """A time of a head on record."""
    told = (head or {}).get(name)
    return datetime.fromisoformat(told) if told else None


def merge_row(row: AloneMerge) -> Json:
    """A merge, with what was done alone."""
    return {
        "id": row.id,
        "name": row.site_id,
        "state": "merged",
        "alone_at": row.alone_at,
        "merged_at": row.merged_at,
        "merged_by": row.merged_by,
        **row.report,
        "events": list(row.events),
    }


def standby_row(row: Standby, now: datetime) -> Json:
    """What a standby says of itself: how old what it knows is, and who has said that it may work alone."""
    age_s = (now - row.seen_at).total_seconds() if row.seen_at is not None else None
    return {
        "id": row.site_id,
        "name": row.site_id,
        "state": row.state,
        "age_s": age_s,
        "source": row.source,
        "sequence": (row.head or {}).get("sequence"),
        "changed_at": _moment(row.head, "changed_at"),
        "seen_at": row.seen_at,
        "taken_in_at": row.taken_in_at,
        "error": row.error,
        "going": list(row.going),
        "alone_at": row.alone_at,
        "confirmed_by": [one["user"] for one in row.confirmations],
    }
