"""What the register and the looks at the clouds say of any past moment: one aggregate, on every engine.

Systems are not read one by one: the database groups those that are alike in everything a rule may ask about,
and says how many they are. What they count as is decided once for each kind, in `tenants.migration.rates`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.models import (
    Department,
    Division,
    InformationSystem,
    Project,
    RunningSpan,
    Site,
    SiteLook,
    SystemVersion,
    UtcDateTime,
)
from cloudctl.queries.proved import backed_up, is_known
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Key = tuple[Any, ...]
Version = SystemVersion


@dataclass(frozen=True)
class Moment:
    """The moment that is counted, and what of a rule the database has to know for it."""

    at: datetime
    day: date
    stages: tuple[str, ...]  # that count as moved
    hosted_on: tuple[str, ...]  # what is recognised as the cloud
    new_since: date | None
    live_since: datetime  # a stretch of running must have begun by then
    fresh_since: datetime  # the newest look must not be older
    idle_since: datetime  # nothing ran since: idle
    max_gap_s: int


@dataclass(frozen=True)
class Place:
    """A division as figures need it."""

    code: str
    name: str
    level: str
    parent_code: str | None
    is_retired: bool


# A kind of systems is one number: flags as bits, the first the lowest; then level, life state and MLPS level.
# One number to group by is what databases sort and hash fastest.
FLAGS = (
    "has_moved", "is_new", "is_classified", "has_decision", "is_centrally_built", "is_exempt", "is_partial",
    "wants_backup", "is_old_host_off", "has_run_long", "may_have_run_long", "is_unseen", "has_stood_still",
    "has_proved_backup", "is_backup_known",
)  # fmt: skip
LEVELS = ("national", "province", "city", "county")
LIFE_STATES = ("planned", "building", "in_use", "suspended", "retired", "merged")
_LEVEL, _LIFE_STATE, _MLPS = len(FLAGS), len(FLAGS) + 3, len(FLAGS) + 6
_EIGHT = 0b111  # values that three bits hold


def unfold(kind: int) -> dict[str, Any]:
    """What a kind says, by name; a word that is not known here reads as an empty one."""
    said: dict[str, Any] = {name: bool(kind >> place & 1) for place, name in enumerate(FLAGS)}
    said["level"] = (*LEVELS, "")[kind >> _LEVEL & _EIGHT]
    said["life_state"] = (*LIFE_STATES, "")[kind >> _LIFE_STATE & _EIGHT]
    said["mlps_level"] = kind >> _MLPS
    return said


def alike(
    uow: UnitOfWork, moment: Moment, keys: Sequence[str], by: Collection[str] = (), *conditions: Any
) -> Iterator[tuple[Key, int, int]]:
    """(key, kind, systems): how many of each kind there were, by columns of `SystemVersion`.

    What a rule asks only of moved systems is said only of them, unless it is to be told apart `by` it (`new`,
    `mlps`): the fewer kinds, the less there is to judge.
    """
    kinds = (tuple(keys), "new" in by, "mlps" in by)
    counted = _count_of(_kinds(*kinds).where(*conditions)) if conditions else _counted(*kinds)
    for row in uow.session.execute(counted, _values(moment)):
        yield row[:-2], row[-2], row[-1]


class Placed(NamedTuple):
    """One system as the register had it at the moment: where it lay, and what lists say beside its kind."""

    system: str
    department: str
    division: str
    stage: str
    old_host_off_on: date | None
    exempt_until: date | None
    dr_tier: int | None


_PLACED = (
    "system_id", "department_id", "division_code", "stage", "old_host_off_on", "exempt_until", "dr_tier",
)  # fmt: skip


def each(
    uow: UnitOfWork, moment: Moment, *conditions: Any, limit: int | None = None
) -> list[tuple[Placed, int]]:
    """Every system at the moment with its kind, in order of their ids."""
    found = _kinds(_PLACED, True, True).where(*conditions).order_by(Version.system_id).limit(limit)
    rows = uow.session.execute(found, _values(moment))
    return [(Placed(*row[:-1]), row[-1]) for row in rows]


# -- the statement, built once: only its values change

_AT, _LIVE, _FRESH, _IDLE = (bindparam(name, type_=UtcDateTime()) for name in ("at", "live", "fresh", "idle"))
_DAY, _FRESH_DAY, _IDLE_DAY, _NEW_SINCE = (
    bindparam(name, type_=Date()) for name in ("day", "fresh_day", "idle_day", "new_since")
)
_GAP = bindparam("gap", type_=Integer())
_STAGES, _HOSTED_ON = (bindparam(name, type_=String(), expanding=True) for name in ("stages", "hosted_on"))


def _values(moment: Moment) -> dict[str, Any]:
    return {
        "at": moment.at,
        "live": moment.live_since,
        "fresh": moment.fresh_since,
        "idle": moment.idle_since,
        "day": moment.day,
        "new_since": moment.new_since,
        "gap": moment.max_gap_s,
        "stages": moment.stages,
        "hosted_on": moment.hosted_on,
        "fresh_day": local_day(moment.fresh_since),
        "idle_day": local_day(moment.idle_since),
    }


@cache
def _counted(keys: tuple[str, ...], with_new: bool, with_mlps: bool) -> Select[Any]:
    return _count_of(_kinds(keys, with_new, with_mlps))


def _count_of(kinds: Select[Any]) -> Select[Any]:
    one = kinds.subquery()
    return select(*one.c, func.count()).group_by(*one.c)


@cache
def _kinds(keys: tuple[str, ...], with_new: bool, with_mlps: bool) -> Select[Any]:
    """The kind of every system at a moment, beside these columns."""
    runs, unseen, backed = _running(), _unseen(), backed_up(_AT)
    has_moved = and_(Version.stage.in_(_STAGES), Version.hosting.in_(_HOSTED_ON))
    is_unseen = unseen.c.system_id.is_not(None)
    of_all: dict[str, Any] = {
        "is_classified": Version.is_classified,
        "has_decision": and_(Version.is_classified, Version.has_decision),
        "is_centrally_built": Version.is_centrally_built,
        "is_exempt": and_(Version.stage == "exempt", Version.exempt_until >= _DAY),
    }
    of_moved: dict[str, Any] = {
        "is_partial": Version.agreement == "partial",
        "wants_backup": Version.dr_tier >= 2,
        "is_old_host_off": Version.old_host_off_on <= _DAY,
        "has_run_long": runs.c.for_long == 1,
        "may_have_run_long": runs.c.maybe_for_long == 1,
        "is_unseen": is_unseen,
        "has_stood_still": and_(_looked_long(), runs.c.system_id.is_(None), ~is_unseen),
        "has_proved_backup": backed.c.system_id.is_not(None),
        "is_backup_known": is_known(_AT),
    }
    (of_all if with_new else of_moved)["is_new"] = Version.commissioned_on >= _NEW_SINCE
    kind = _bits(of_all) + case((has_moved, 1 + _bits(of_moved)), else_=0)
    kind += _word(Version.level, LEVELS, _LEVEL) + _word(Version.life_state, LIFE_STATES, _LIFE_STATE)
    if with_mlps:
        kind += Version.mlps_level * (1 << _MLPS)
    return (
        select(*(getattr(Version, key) for key in keys), kind.label("kind"))
        .select_from(Version)
        .outerjoin(runs, runs.c.system_id == Version.system_id)
        .outerjoin(unseen, unseen.c.system_id == Version.system_id)
        .outerjoin(backed, backed.c.system_id == Version.system_id)
        .where(Version.valid_from <= _AT, Version.valid_to > _AT)
    )


def _bits(conditions: Mapping[str, Any]) -> ColumnElement[int]:
    bits = [case((one, 1 << FLAGS.index(name)), else_=0) for name, one in conditions.items()]
    return reduce(add, bits)


def _word(column: Any, words: Sequence[str], place: int) -> ColumnElement[int]:
    numbers = {word: number << place for number, word in enumerate(words)}
    return case(numbers, value=column, else_=len(words) << place)


def _running() -> Subquery:
    """Of every system that ran lately at a site that was there then: whether long enough, or perhaps."""
    goes_on = or_(RunningSpan.until.is_(None), RunningSpan.until > _AT)
    is_long = and_(goes_on, RunningSpan.since <= _LIVE)
    is_sure = and_(RunningSpan.last_seen_at >= _FRESH, RunningSpan.longest_gap_s <= _GAP)
    return (
        select(
            RunningSpan.system_id,
            func.max(case((and_(is_long, is_sure), 1), else_=0)).label("for_long"),
            func.max(case((and_(is_long, ~is_sure), 1), else_=0)).label("maybe_for_long"),
        )
        .join(Site, Site.id == RunningSpan.site_id)
        .where(
            or_(Site.retired_at.is_(None), Site.retired_at > _AT),
            RunningSpan.since <= _AT,
            or_(RunningSpan.until.is_(None), RunningSpan.until > _IDLE),
        )
        .group_by(RunningSpan.system_id)
        .subquery()
    )


def _unseen() -> Subquery:
    """Systems bound to a project at a site that no look reached lately: nobody can say what runs there."""
    return (
        select(Project.system_id)
        .join(Site, Site.id == Project.site_id)
        .where(
            or_(Site.retired_at.is_(None), Site.retired_at > _AT),
            Project.external_id.is_not(None),
            Project.created_at <= _AT,
            Project.site_id.not_in(_seen_sites()),
        )
        .distinct()
        .subquery()
    )


def _seen_sites() -> Select[Any]:
    """The sites that somebody looked at lately: what was not found there did not run there."""
    lately = (SiteLook.day.between(_FRESH_DAY, _DAY), SiteLook.first_at <= _AT, SiteLook.last_at >= _FRESH)
    return _sites_with_look(*lately)


def _looked_long() -> ColumnElement[bool]:
    """Whether anybody looked at the clouds at all when the days of idleness began."""
    return _sites_with_look(SiteLook.day <= _IDLE_DAY, SiteLook.first_at <= _IDLE).exists()


def _sites_with_look(*conditions: Any) -> Select[Any]:
    """Site by site and by day, as the primary key has them: ten years of looks are never read through."""
    return select(Site.id).where(exists().where(SiteLook.site_id == Site.id, *conditions))


# -- lists, as the actor may see them


def visible(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    """Conditions on the register's history: the systems of departments that the actor may see."""
    seen = Sight(uow, actor, "system.see")
    if seen.all:
        return ()
    return (Version.department_id.in_(select(Department.id).where(*seen.departments())),)


@dataclass(frozen=True)
class Stretch:
    """A stretch of running as a list shows it."""

    site: str
    since: datetime
    until: datetime | None
    last_seen_at: datetime
    longest_gap_s: int


def stretches(uow: UnitOfWork, moment: Moment, ids: Sequence[str]) -> dict[str, list[Stretch]]:
    """When these systems were seen to run until the moment, the newest first; at sites there were then."""
    found: dict[str, list[Stretch]] = {}
    span = RunningSpan
    columns = (span.system_id, span.site_id, span.since, span.until, span.last_seen_at, span.longest_gap_s)
    statement = (
        select(*columns)
        .join(Site, Site.id == span.site_id)
        .where(or_(Site.retired_at.is_(None), Site.retired_at > moment.at))
        .where(span.system_id.in_(ids), span.since <= moment.at)
        .order_by(span.since.desc())
    )
    for row in uow.session.execute(statement):
        found.setdefault(row[0], []).append(Stretch(*row[1:]))
    return found


def bound_sites(uow: UnitOfWork, moment: Moment, ids: Sequence[str]) -> dict[str, list[str]]:
    """The sites where these systems are bound to a project."""
    statement = (
        select(Project.system_id, Project.site_id)
        .where(Project.system_id.in_(ids), Project.external_id.is_not(None))
        .where(Project.created_at <= moment.at)
        .order_by(Project.site_id)
    )
    found: dict[str, list[str]] = {}
    for system, site in uow.session.execute(statement):
        found.setdefault(system, []).append(site)
    return found


def seen_sites(uow: UnitOfWork, moment: Moment) -> set[str]:
    """The sites that somebody looked at lately."""
    return set(uow.session.scalars(_seen_sites(), _values(moment)))


# -- names and places


def places(uow: UnitOfWork) -> dict[str, Place]:
    """Every division by its code, those that were retired as well: history points at them."""
    columns = (Division.code, Division.name, Division.level, Division.parent_code, Division.retired_at)
    return {
        code: Place(code, name, level, parent, retired_at is not None)
        for code, name, level, parent, retired_at in uow.session.execute(select(*columns))
    }


def departments(uow: UnitOfWork) -> dict[str, tuple[str, str]]:
    """Name and division of every department by its id, those that were retired as well."""
    rows = uow.session.execute(select(Department.id, Department.name, Department.division_code))
    return {key: (name, division) for key, name, division in rows}


def department_names(uow: UnitOfWork) -> dict[str, str]:
    """The name of every department by its id."""
    return {key: name for key, (name, _) in departments(uow).items()}


def system_names(uow: UnitOfWork, ids: Sequence[str]) -> dict[str, str]:
    """The names of these systems."""
    named = select(InformationSystem.id, InformationSystem.name).where(InformationSystem.id.in_(ids))
    return {key: name for key, name in uow.session.execute(named)}  # noqa: C416
