"""What a target can measure, as one table: the name, what is counted, and where the numbers come from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cloudctl.queries import measures as reads
from cloudctl.queries.migration import places
from cloudctl.store import UnitOfWork
from tenants.facility_form import KINDS
from tenants.migration import rules
from tenants.migration.counting import count, day_of
from tenants.migration.rates import WHOLE, Tally
from tenants.migration.scopes import Scope, upward
from tenants.migration.targets import Figure

Counted = Iterable[tuple[str, str, Figure]]  # division, department, what was counted there


@dataclass(frozen=True)
class Measure:
    """One thing that targets set: `thing` is what its figures count."""

    thing: str  # system, facility, department
    read: Callable[[UnitOfWork, datetime], Counted]


def figures(uow: UnitOfWork, now: datetime, measure: str, scopes: Sequence[Scope]) -> dict[str, Figure]:
    """The figure of each scope now, by the rule in use; nothing counted is 0 of 0."""
    parents = {code: place.parent_code for code, place in places(uow).items()}
    sums: dict[str, Figure] = {}
    for division, department, one in MEASURES[measure].read(uow, now):
        inside = [f"own:{division}", f"department:{department}"]
        inside += [f"division:{code}" for code in upward(division, parents)]
        for scope in inside:
            sums[scope] = sums.get(scope, Figure(0, 0)) + one
    return {str(scope): sums.get(str(scope), Figure(0, 0)) for scope in scopes}


def _moved(tally: Tally) -> Figure:
    return Figure(tally.numerator_hundredths, tally.denominator)


def _proved(tally: Tally) -> Figure:
    return Figure(tally.verified_hundredths, tally.denominator, tally.unknown)


def _rate(group: str, figure: Callable[[Tally], Figure]) -> Callable[[UnitOfWork, datetime], Counted]:
    """A rate of migration: of all systems that should have moved, or of the new ones."""

    def read(uow: UnitOfWork, now: datetime) -> Counted:
        rule, when = rules.choose(uow).rule, day_of(now)
        found = count(uow, rule, when, ("division_code", "department_id"), (group,))
        for (division, department), tally in found.get(group, {}).items():
            yield division, department, figure(tally)

    return read


def _plain(read: Callable[[UnitOfWork], reads.Rows]) -> Callable[[UnitOfWork, datetime], Counted]:
    """What counts things one by one."""
    return _at(lambda uow, _now: read(uow))


def _at(read: Callable[[UnitOfWork, datetime], reads.Rows]) -> Callable[[UnitOfWork, datetime], Counted]:
    """What counts things one by one, and depends on the time."""
    return lambda uow, now: (
        (division, department, Figure(reached * WHOLE, total, unknown))
        for division, department, reached, total, unknown in read(uow, now)
    )


MEASURES: Mapping[str, Measure] = {
    "migration_rate": Measure("system", _rate("all", _moved)),
    "verified_rate": Measure("system", _rate("all", _proved)),
    "new_systems_rate": Measure("system", _rate("new", _moved)),
    "ipv6_rate": Measure("system", _plain(reads.ipv6)),
    "sso_rate": Measure("system", _plain(reads.single_sign_on)),
    "key_data_offsite_rate": Measure("system", _at(reads.key_data_offsite)),
    "key_application_active_rate": Measure("system", _plain(reads.key_application_active)),
    "coverage": Measure("department", _plain(reads.departments_taking_part)),
    **{
        f"facilities_ended:{kind}": Measure("facility", _plain(partial(reads.facilities_ended, kind=kind)))
        for kind in KINDS
    },
}
