"""A system on its way: what tests of the migration start from."""

from datetime import date, timedelta
from typing import Any

from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.models import InformationSystem, Project, SystemVersion
from cloudctl.queries import scopes
from tenants.migration import course
from tenants.register.history import write_version_of
from tests.builders import a_project, an_actor

BUDGET, ASSETS = "gx-finance-budget", "gx-finance-assets"
DECISION: dict[str, Any] = {
    "decision_document": "桂保密〔2026〕3号",
    "decision_on": "2026-03-01",
    "decision_reviewer": "周审",
}
AGREEMENT = {"agreement": "full", "agreement_document": "迁移协议〔2026〕8号", "agreed_on": "2026-05-10"}
REPORT = {"accepted_on": "2026-10-01", "report_document": "迁云确认〔2026〕1号"}
# Each event on the way, who does it, and what it shows.
WAY: tuple[tuple[str, dict[str, str]], ...] = (
    ("classify", DECISION),
    ("assess", {"assessed_on": "2026-04-01"}),
    ("plan", {"plan_document": "桂财信〔2026〕5号", "planned_on": "2026-12-01"}),
    ("agree", AGREEMENT),
    ("migrate", {"migrating_from": "2026-06-01"}),
    ("try", {"trial_from": "2026-08-01"}),
    ("accept", REPORT),
    ("finish", {"done_on": "2026-11-01"}),
)


def go(core: Core, until: str, system: str = BUDGET, user: str = "bob") -> None:
    """Move the system along the way, up to and with the event."""
    for event, shown in WAY:
        if event == "accept":
            bind(core, system)
        course.advance(core, an_actor(core, user), system, event, shown)
        if event == until:
            return
    raise AssertionError(f"no event {until}")


def bind(core: Core, system: str = BUDGET, site: str = "province") -> str:
    """The system's project, made on the cloud."""
    key = a_project(core, system, site)
    with core.store.write() as uow:
        uow.update(Project, Project.id == key, state="active", external_id=f"cloud-{key}")
    return scopes.project_id(system, "prod", site)


def stage(core: Core, system: str = BUDGET) -> str:
    with core.store.read() as uow:
        return uow.need(InformationSystem, system).stage


def today(core: Core, days: int = 0) -> date:
    """The day of the injected clock, or one some days away."""
    return local_day(core.clock.now()) + timedelta(days=days)


def registered(core: Core) -> None:
    """Give every system that has none its first version: what has no history is not counted."""
    with core.store.write() as uow:
        known = set(uow.column(SystemVersion.system_id))
        for row in uow.all(InformationSystem):
            if row.id not in known:
                write_version_of(uow, core.clock, row, None, "sam", "test")


def a_system(core: Core, code: str, department: str = "gx-finance", **columns: object) -> str:
    """Another system in the register, in use and on a machine of its own where nothing else is said."""
    with core.store.write() as uow:
        uow.add(InformationSystem(id=code, name=f"系统{code}", department_id=department, **columns))
    registered(core)
    return code
