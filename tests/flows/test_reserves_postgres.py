"""Plans that reserve room at the same moment, on PostgreSQL: what fits once is held once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.models import PlanReserve, Site
from dr.plans import acting, reserve
from dr.plans.document import Document
from dr.plans.facts import Outside
from dr.plans.known import Known, needed
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.builders import a_province, an_actor
from tests.conftest import make_core
from tests.planning import RECOVERY, a_plan_file, a_protected_system

pytestmark = pytest.mark.postgres
ROUNDS = 6


def test_two_plans_at_once_hold_room_for_one(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = make_core(tmp_path, postgres_url, FrozenClock())
    a_province(core)
    a_protected_system(core)
    outside = Outside(FakeClouds({site: FakeCloud(site, core.clock) for site in ("province", "city-1")}))
    with core.store.write() as uow:
        uow.need(Site, RECOVERY).capacity = {"vcpus": {"total": 3, "used": 0}}
    both_are_there = threading.Barrier(2)

    def needed_by_both(document: Document, known: Known) -> Amounts:
        both_are_there.wait(30)  # each in a transaction of its own
        return needed(document, known)

    def apply(name: str) -> list[str]:
        server = {"name": name, "servers": [f"vm-{name}"]}
        document: dict[str, Any] = a_plan_file(name=name, parts=[server], checks=None)
        [row] = acting.apply(core, an_actor(core, "dave"), outside, [document])
        return [one["code"] if isinstance(one, dict) else one.code for one in row["notes"]]

    monkeypatch.setattr(reserve, "needed", needed_by_both)
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(2) as pool:
            notes = sorted(pool.map(apply, ("db", "web")), key=len)
        with core.store.write() as uow:
            held = uow.column(PlanReserve.amount, PlanReserve.kind == Kind.VCPUS.value)
            assert held == [2]
            for plan_id in uow.column(PlanReserve.plan_id):
                reserve.spend(uow, plan_id)
        assert [("no_capacity" in codes) for codes in notes] == [False, True]
    core.store.close()
