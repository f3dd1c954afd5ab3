"""Which points are kept, and why: grandfather, father, son, over chains, locks and what is proved. Pure.

Of each of the newest days, weeks, months and years that have points, one is kept: the newest that is proved,
else the newest. An increment is nothing without its parents, so they stay with it. The last proved point is
never given up, whatever the counts say, and what a lock still holds is kept and said.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum

from cloudctl.clock import BEIJING
from dr.levels import DAY_S


@dataclass(frozen=True)
class Retention:
    """How many points, days, weeks, months and years are kept."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @classmethod
    def read(cls, stored: Mapping[str, int]) -> "Retention":
        """What a policy says; a word that is missing is none."""
        return cls(**{one.name: int(stored.get(one.name, 0)) for one in fields(cls)})

    def span_s(self, every_s: int) -> int:
        """How far back the oldest point kept reaches, with points as often as this."""
        days = max(self.daily, 7 * self.weekly, 31 * self.monthly, 366 * self.yearly)
        return max(self.last * every_s, days * DAY_S)

    def count(self, every_s: int) -> int:
        """How many points are kept at most at once, chains and locks aside."""
        per_day = max(1, DAY_S // every_s)
        fewer = (self.last - 1) // per_day  # days whose point is among the last anyway
        return self.last + max(0, self.daily - fewer) + self.weekly + self.monthly + self.yearly


class Why(StrEnum):
    """Why a point is kept. JSON contract."""

    LAST = "last"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    LAST_PROTECTED = "last_protected"
    NOT_PROVED_YET = "not_proved_yet"  # newer than the newest that is proved
    PARENT = "parent"  # an increment that is kept rests on it
    LOCKED = "locked"  # only its lock holds it


@dataclass(frozen=True)
class Held:
    """A point that is in the vaults: sealed, protected, suspect or lost."""

    id: str
    taken_at: datetime
    is_protected: bool = True
    parent_id: str | None = None
    locked_until: datetime | None = None


@dataclass(frozen=True)
class Kept:
    """What is kept and why, and what may go: increments before what they rest on."""

    why: Mapping[str, tuple[Why, ...]]
    given_up: tuple[str, ...]


def decide(points: Iterable[Held], retention: Retention, now: datetime) -> Kept:
    """What of one member's points is kept; again, over what was kept, gives nothing up.

    A point for which only its lock speaks is kept with that one reason: nobody wants it any more.
    """
    newest_first = sorted(points, key=lambda one: (one.taken_at, one.id), reverse=True)
    why: dict[str, list[Why]] = {one.id: [] for one in newest_first}
    proved = [one for one in newest_first if one.is_protected]
    for one in (proved or newest_first)[: retention.last]:
        why[one.id].append(Why.LAST)
    for name, bucket in _BUCKETS.items():
        for one in _of_buckets(newest_first, bucket, getattr(retention, name)):
            why[one.id].append(Why(name))
    if proved:
        why[proved[0].id].append(Why.LAST_PROTECTED)
    for one in newest_first:
        if not proved or one.taken_at > proved[0].taken_at:
            why[one.id].append(Why.NOT_PROVED_YET)
    _keep_locked(newest_first, why, now)
    _keep_parents(newest_first, why)
    return Kept(
        {key: tuple(reasons) for key, reasons in why.items() if reasons},
        tuple(one.id for one in _children_first(newest_first) if not why[one.id]),
    )


def leaves_at(points: Iterable[Held], retention: Retention, every_s: int) -> dict[str, datetime]:
    """When each point of one member will be given up, if points keep coming as often as this and are proved.

    Told from what there is now; earlier than its lock lets go, or before what rests on it, none goes.
    """
    newest_first = sorted(points, key=lambda one: (one.taken_at, one.id), reverse=True)
    if not newest_first:
        return {}
    newest, every = newest_first[0].taken_at, timedelta(seconds=every_s)
    ends: dict[str, list[datetime]] = {one.id: [one.locked_until or one.taken_at] for one in newest_first}
    for index, one in enumerate(newest_first[: retention.last]):
        ends[one.id].append(newest + (retention.last - index) * every)
    for name, bucket in _BUCKETS.items():
        count = getattr(retention, name)
        for index, one in enumerate(_of_buckets(newest_first, bucket, count)):
            is_replaced = index == 0 and _key(bucket, newest + every) == _key(bucket, newest)
            left = count - index
            later = newest + every if is_replaced else max(_ahead(name, newest, left), newest + left * every)
            ends[one.id].append(later)
    proved = next((one for one in newest_first if one.is_protected), newest_first[0])
    ends[proved.id].append(newest + every)
    leaving = {key: max(moments) for key, moments in ends.items()}
    for one in _children_first(newest_first):
        if one.parent_id in leaving:
            leaving[one.parent_id] = max(leaving[one.parent_id], leaving[one.id])
    return leaving


def _ahead(name: str, moment: datetime, count: int) -> datetime:
    """When the count-th next day, week, month or year begins in Beijing."""
    local = moment.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
    if name == "daily":
        return local + timedelta(days=count)
    if name == "weekly":
        return local - timedelta(days=local.weekday()) + timedelta(weeks=count)
    if name == "yearly":
        return local.replace(year=local.year + count, month=1, day=1)
    months = 12 * local.year + local.month - 1 + count
    return local.replace(year=months // 12, month=months % 12 + 1, day=1)


_BUCKETS: Mapping[str, Callable[[datetime], Hashable]] = {
    "daily": lambda local: local.date(),
    "weekly": lambda local: local.isocalendar()[:2],
    "monthly": lambda local: (local.year, local.month),
    "yearly": lambda local: local.year,
}


def _of_buckets(
    newest_first: Sequence[Held], bucket: Callable[[datetime], Hashable], count: int
) -> Iterable[Held]:
    """One point of each of the newest buckets that have any."""
    chosen: dict[Hashable, Held] = {}
    for one in newest_first:
        key = _key(bucket, one.taken_at)
        if key not in chosen:
            if len(chosen) == count:
                break
            chosen[key] = one
        elif one.is_protected and not chosen[key].is_protected:
            chosen[key] = one
    return chosen.values()


def _key(bucket: Callable[[datetime], Hashable], moment: datetime) -> Hashable:
    return bucket(moment.astimezone(BEIJING))


def _keep_locked(newest_first: Sequence[Held], why: Mapping[str, list[Why]], now: datetime) -> None:
    for one in newest_first:
        if not why[one.id] and one.locked_until is not None and one.locked_until > now:
            why[one.id].append(Why.LOCKED)


def _keep_parents(newest_first: Sequence[Held], why: Mapping[str, list[Why]]) -> None:
    for one in newest_first:
        parent_id = one.parent_id
        if why[one.id] and parent_id in why:
            _keep_chain(parent_id, {each.id: each for each in newest_first}, why)


def _keep_chain(parent_id: str | None, by_id: Mapping[str, Held], why: Mapping[str, list[Why]]) -> None:
    """The parent and all it rests on; ends where a parent was looked at before, or is not there."""
    while parent_id is not None and parent_id in by_id and Why.PARENT not in why[parent_id]:
        why[parent_id].append(Why.PARENT)
        parent_id = by_id[parent_id].parent_id


def _children_first(newest_first: Sequence[Held]) -> list[Held]:
    """Every point after all that rest on it, whatever their times say."""
    by_id = {one.id: one for one in newest_first}
    depth: dict[str, int] = {}
    for one in newest_first:
        way: list[str] = []
        at: str | None = one.id
        while at in by_id and at not in depth and at not in way:
            way.append(at)
            at = by_id[at].parent_id
        base = depth.get(at, -1) if at is not None else -1
        for number, key in enumerate(reversed(way), base + 1):
            depth[key] = number
    return sorted(newest_first, key=lambda one: -depth[one.id])
