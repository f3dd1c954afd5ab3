"""Rows of plans and drills, as a test of what reads them needs them."""

from typing import Any

from cloudctl.core import Core
from cloudctl.models import Drill, InformationSystem, ProtectionPlan, Site
from dr.plans.document import Document, Part, Sentinels

AT_REST = Sentinels("http://web1/notes", "http://web1/notes", every_s=10.0)


def a_plan(core: Core, name: str = "pay", sentinels: Sentinels | None = AT_REST) -> int:
    """A plan in use, of some system between some sites."""
    with core.store.write() as uow:
        system, site = uow.column(InformationSystem.id)[0], uow.column(Site.id)
        document = Document(name, system, site[0], site[-1], 900, 1800, (Part("web", ("web1",)),),
                            sentinels=sentinels)  # fmt: skip
        row = ProtectionPlan(
            name=name, system_id=system, document=document.as_json(), sha256=document.sha256,
            state="needs_verification", home_site_id=site[0], recovery_site_id=site[-1],
            active_site_id=site[0], created_at=core.clock.now(), created_by="dave",
        )  # fmt: skip
        return uow.add(row).id


def a_drill(core: Core, plan_id: int, **values: Any) -> int:
    """A drill of the plan that is going on."""
    with core.store.write() as uow:
        plan = uow.need(ProtectionPlan, plan_id)
        words = {"state": "cloned", "begun_at": core.clock.now(), "begun_by": "dora", **values}
        row = Drill(plan_id=plan_id, plan_sha256=plan.sha256, plan=plan.document,
                    site_id=plan.recovery_site_id, **words)  # fmt: skip
        return uow.add(row).id
