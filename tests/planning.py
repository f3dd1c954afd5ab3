"""Protection plans that tests start from: a small province with its budget system in two parts."""

from typing import Any

from cloudctl.core import Core
from cloudctl.models import ProtectionPlan, Site
from dr.plans import acting
from dr.plans.document import Document
from dr.plans.facts import Outside
from dr.plans.read import read
from tests.builders import a_resource, an_actor
from tests.protecting import BUDGET, a_policy, a_vault, a_volume

HOME, RECOVERY = "province", "city-1"
PROJECT, OTHER_PROJECT = f"{BUDGET}/prod@{HOME}", f"{BUDGET}/prod@{RECOVERY}"


def a_plan_file(**changes: Any) -> dict[str, Any]:
    """A plan that nothing is wrong with, as it is written: a database, and a web server that needs it."""
    document: dict[str, Any] = {
        "name": "budget", "system": BUDGET, "home": HOME, "recovery": RECOVERY, "rpo": "25h", "rto": "30m",
        "parts": [
            {"name": "db", "servers": ["vm-db"], "checks": [{"kind": "tcp", "port": 5432}]},
            {"name": "web", "servers": ["vm-web"], "needs": ["db"],
             "checks": [{"kind": "http", "server": "vm-web", "path": "/health"}]},
        ],
        "checks": [{"kind": "http", "server": "vm-web", "contains": "ok"}],
        "steering": {"name": "budget.gx.test.", "ttl": "30s",
                     "addresses": {HOME: ["10.20.0.11"], RECOVERY: ["10.21.0.11", "fd00:2:1::11"]}},
    }  # fmt: skip
    return {key: value for key, value in {**document, **changes}.items() if value is not None}


def a_document(**changes: Any) -> Document:
    """The same as values."""
    document, faults = read(a_plan_file(**changes))
    assert document is not None, [str(one) for one in faults]
    return document


def a_protected_system(core: Core, policy: bool = True) -> None:
    """The system's two servers at home with a volume, its project at the other site, a policy, a vault."""
    a_vault(core)
    a_volume(core)
    a_volume(core, site=RECOVERY, size_gib=1)  # makes the project there
    for name in ("vm-db", "vm-web"):
        boot = a_resource(
            core, PROJECT, {"volumes": 1, "volume_gib": 20}, kind="volume", name=f"{name}-boot",
            external_id=f"{name}-volume", spec={"size_gib": 20, "type": "standard", "image": "debian-12"},
        )  # fmt: skip
        a_resource(
            core, PROJECT, {"instances": 1, "vcpus": 2, "ram_mib": 4096}, name=name, external_id=f"{name}-id",
            spec={"flavor": "gov.medium", "zone": "public", "image": "debian-12", "boot": boot, "data": []},
        )  # fmt: skip
    if policy:
        a_policy(core)
    with core.store.write() as uow:
        room = {"vcpus": 4096, "ram_mib": 1 << 23, "volume_gib": 1 << 20}
        told = {kind: {"total": total, "used": 0} for kind, total in room.items()}
        uow.need(Site, RECOVERY).capacity, uow.need(Site, HOME).capacity = told, told


def a_plan(core: Core, outside: Outside, **changes: Any) -> int:
    """The id of a plan that was applied."""
    [row] = acting.apply(core, an_actor(core, "dave"), outside, [a_plan_file(**changes)])
    return int(row["id"])


def plan_row(core: Core, plan_id: int = 1) -> ProtectionPlan:
    """The plan as it is kept now."""
    with core.store.read() as uow:
        return uow.need(ProtectionPlan, plan_id)
