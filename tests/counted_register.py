"""A register with a history, as the tests of figures need it: systems, versions, stretches of running."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.models import (
    FOREVER,
    Department,
    Division,
    InformationSystem,
    Project,
    RunningSpan,
    SiteLook,
    SystemVersion,
    Target,
)
from cloudctl.store import UnitOfWork
from tests.builders import a_province

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
MOVED = {"stage": "accepted", "hosting": "gov_cloud"}


def a_province_without_systems(core: Core) -> None:
    """The small province, its register empty: what is counted is what a test puts there."""
    a_province(core)
    with core.store.write() as uow:
        uow.delete(SystemVersion, SystemVersion.id > 0)


def a_system(core: Core, key: str, department: str = "gx-finance", **facts: Any) -> str:
    """A system with one version from `valid_from` on; in use, of the province's level, not moved."""
    since = facts.pop("valid_from", BEGINNING)
    with core.store.write() as uow:
        division = facts.pop("division_code", None) or uow.need(Department, department).division_code
        if uow.get(InformationSystem, key) is None:
            uow.add(InformationSystem(id=key, name=f"系统{key}", department_id=department))
        uow.add(_version(key, department, division, since, FOREVER, facts))
    return key


def then(core: Core, key: str, at: datetime, **changes: Any) -> None:
    """The next version of a system, from the moment on; what does not change stays."""
    kept = (
        "department_id", "division_code", "level", "life_state", "is_classified", "has_decision",
        "mlps_level", "dr_tier", "hosting", "is_centrally_built", "commissioned_on", "stage", "agreement",
        "exempt_until", "old_host_off_on",
    )  # fmt: skip
    with core.store.write() as uow:
        last = uow.first(SystemVersion, SystemVersion.system_id == key, SystemVersion.valid_to == FOREVER)
        assert last is not None
        facts = {name: getattr(last, name) for name in kept} | changes
        last.valid_to = at
        department, division = facts.pop("department_id"), facts.pop("division_code")
        uow.add(_version(key, department, division, at, FOREVER, facts))


def runs(core: Core, key: str, since: datetime, until: datetime | None = None, **more: Any) -> None:
    """A stretch of running, seen up to now or to its end."""
    seen = more.pop("last_seen_at", None) or until or core.clock.now()
    site = more.pop("site_id", "province")
    with core.store.write() as uow:
        span = {"system_id": key, "site_id": site, "since": since, "until": until, "last_seen_at": seen}
        uow.add(RunningSpan(**span, **more))
        for at in (since, seen):
            a_look(uow, site, at)


def a_look(uow: UnitOfWork, site: str, at: datetime) -> None:
    """Somebody looked at the site."""
    look = uow.get(SiteLook, (site, local_day(at)))
    if look is None:
        uow.add(SiteLook(site_id=site, day=local_day(at), first_at=at, last_at=at))
    else:
        look.first_at, look.last_at = min(look.first_at, at), max(look.last_at, at)


def bound(core: Core, key: str, site: str = "province") -> None:
    """A project of the system that is there at the site."""
    with core.store.write() as uow:
        owner = uow.need(InformationSystem, key).department_id
        uow.add(
            Project(
                id=f"{key}/prod@{site}", name=key, system_id=key, department_id=owner, site_id=site,
                external_id=f"x-{key}-{site}", created_at=BEGINNING,
            )
        )  # fmt: skip


def a_target(core: Core, scope: str, value: int, due_on: date, measure: str = "migration_rate") -> None:
    with core.store.write() as uow:
        uow.add(
            Target(
                name="上云率", scope=scope, measure=measure, value=value, due_on=due_on,
                source="桂政办发〔2026〕1号", created_by="dave",
                created_at=core.clock.now() - timedelta(days=365),
            )
        )  # fmt: skip


def a_city(core: Core, code: str, name: str, department: str) -> str:
    """A city of the province with one department."""
    with core.store.write() as uow:
        uow.add(Division(code=code, name=name, level="city", parent_code="450000", served_by=["province"]))
        uow.add(Department(id=department, name=f"{name}财政局", kind="政府", division_code=code))
    return f"division:{code}"


def _version(
    key: str, department: str, division: str, since: datetime, until: datetime, facts: dict[str, Any]
) -> SystemVersion:
    given = {
        "level": "province", "life_state": "in_use", "is_classified": False, "has_decision": False,
        "mlps_level": 2, "hosting": "own_room", "ipv6_state": "none", "is_centrally_built": False,
        "stage": "registered", "changed_by": "tests",
    }  # fmt: skip
    return SystemVersion(
        system_id=key, department_id=department, division_code=division, valid_from=since, valid_to=until,
        **{**given, **facts},
    )  # fmt: skip
