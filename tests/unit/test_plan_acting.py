"""Plans on a real database, with fakes for the clouds: kept, checked, looked at, changed, retired."""

from collections.abc import Iterator
from typing import Any

import pytest

from cloudctl.actors import Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound, WrongState
from cloudctl.models import AuditEvent, Failover, Notice, PlanReserve, ProtectionPlan, QuotaRow, Site
from cloudctl.ports import Named
from dr.plans import acting, facts, looking, showing, standing
from dr.plans.facts import Outside
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tenants import ledger
from tenants.recount import recount
from tests.builders import a_person, a_province, an_actor
from tests.planning import (
    OTHER_PROJECT,
    RECOVERY,
    a_document,
    a_plan,
    a_plan_file,
    a_protected_system,
    plan_row,
)
from tests.protecting import a_point

Clouds = dict[str, FakeCloud]


@pytest.fixture
def at(clock: FrozenClock) -> Clouds:
    return {site: FakeCloud(site, clock) for site in ("province", "city-1")}


@pytest.fixture
def outside(core: Core, at: Clouds) -> Iterator[Outside]:
    a_province(core)
    a_protected_system(core)
    yield Outside(FakeClouds(dict(at)))


def apply(
    core: Core, outside: Outside, user: str = "dave", dry: bool = False, **changes: Any
) -> dict[str, Any]:
    [row] = acting.apply(core, an_actor(core, user), outside, [a_plan_file(**changes)], dry)
    return row


def codes(rows: list[Any]) -> list[str]:
    return [one["code"] if isinstance(one, dict) else one.code for one in rows]


def drilled(core: Core, plan_id: int = 1, has_passed: bool = True, sha256: str | None = None) -> None:
    """A drill that began with what the plan rests on now has ended."""
    with core.store.write() as uow:
        plan = uow.need(ProtectionPlan, plan_id)
        seen = standing.note_inventory(plan, plan.inventory_now)
        standing.note_drill(uow, core.clock, plan, 7, sha256 or plan.sha256, seen, has_passed)


def look(core: Core, outside: Outside, plan_id: int = 1) -> ProtectionPlan:
    looking.look(core, outside, plan_id)
    return plan_row(core, plan_id)


# -- kept


def test_a_server_is_protected_by_one_plan_as_it_is_called_where_the_system_runs(
    core: Core, outside: Outside, clock: FrozenClock
) -> None:
    follows = {"name": "db", "servers": ["vm-db"], "way": "application", "serving": "read_anywhere",
               "database": {"servers": {"province": "vm-db", RECOVERY: "vm-db2"}}}  # fmt: skip
    apply(core, outside, name="first", parts=[follows], checks=[])
    [fault] = [one for one in apply(core, outside)["faults"] if one.code == "taken"]
    assert (fault.place, dict(fault.params)) == ("parts[0].servers[0]", {"name": "vm-db", "plan": "first"})
    with core.store.read() as uow:
        there = facts.read(uow, a_document(), clock.now(), None, RECOVERY)
    assert there.taken_servers == {"vm-db2": "first"}


def test_a_plan_without_faults_waits_for_its_drill_and_holds_its_room(core: Core, outside: Outside) -> None:
    row = apply(core, outside)
    assert (row["state"], row["result"], row["faults"], row["notes"]) == ("needs_verification", "new", [], [])
    with core.store.read() as uow:
        held = {one.kind: one.amount for one in uow.all(PlanReserve)}
        places = {(one.project_id, one.site_id) for one in uow.all(PlanReserve)}
    assert held == {"instances": 2, "vcpus": 4, "ram_mib": 8192, "volumes": 2, "volume_gib": 40}
    assert places == {(OTHER_PROJECT, RECOVERY)}


def test_the_same_document_again_changes_nothing(core: Core, outside: Outside) -> None:
    apply(core, outside)
    before = plan_row(core)
    row = apply(core, outside)
    assert (row["result"], row["changes"]) == ("same", {})
    after = plan_row(core)
    assert (after.revision, after.sha256, after.state) == (before.revision, before.sha256, before.state)
    with core.store.read() as uow:
        assert uow.count(AuditEvent, AuditEvent.action == "dr.plan.change") == 0


def test_a_dry_run_shows_the_difference_and_changes_nothing(core: Core, outside: Outside) -> None:
    apply(core, outside)
    row = apply(core, outside, dry=True, rpo="30h")
    assert (row["result"], row["changes"]) == ("changed", {"rpo": ["25h", "30h"]})
    assert plan_row(core).document["rpo_s"] == 25 * 3600
    assert apply(core, outside, dry=True, name="other")["id"] is None


def test_what_is_wrong_with_the_world_is_kept_beside_a_draft(
    core: Core, outside: Outside, at: Clouds
) -> None:
    flavors = at[RECOVERY].state.flavors
    del flavors[_id_of(flavors, "gov.medium")]
    row = apply(core, outside)
    assert (row["state"], codes(row["faults"])) == ("draft", ["no_flavor", "no_flavor"])
    assert [one["place"] for one in plan_row(core).faults] == ["parts[0].servers[0]", "parts[1].servers[0]"]
    with core.store.read() as uow:
        assert uow.count(PlanReserve) == 0
    row = apply(core, outside, mapping={"flavors": {"gov.medium": "gov.large"}})
    assert (row["state"], row["faults"]) == ("needs_verification", [])
    with core.store.read() as uow:
        held = {one.kind: one.amount for one in uow.all(PlanReserve)}
    assert (held["vcpus"], held["ram_mib"]) == (8, 16384)


def test_a_site_that_is_away_leaves_the_plan_to_be_validated_later(
    core: Core, outside: Outside, at: Clouds
) -> None:
    at[RECOVERY].state.is_cut_off = True
    assert apply(core, outside)["state"] == "validating"
    assert look(core, outside).state == "validating"
    at[RECOVERY].state.is_cut_off = False
    assert look(core, outside).state == "needs_verification"


def test_all_faults_of_all_documents_refuse_everything(core: Core, outside: Outside) -> None:
    documents = [a_plan_file(), a_plan_file(name="Other", rto=None), a_plan_file(system="nobody", name="x")]
    with pytest.raises(BadInput) as told:
        acting.apply(core, an_actor(core, "dave"), outside, documents)
    assert {one.place for one in told.value.faults} == {"plans[1].name", "plans[1].rto"}
    with core.store.read() as uow:
        assert uow.count(ProtectionPlan) == 0
    unknown = a_plan_file(system="nobody", recovery="city-7", steering=None)
    with pytest.raises(BadInput) as told:
        acting.apply(core, an_actor(core, "dave"), outside, [unknown])
    assert {one.place: one.code for one in told.value.faults} == {
        "system": "unknown_system", "recovery": "unknown_site",
    }  # fmt: skip


def test_whoever_plans_needs_the_right_at_both_sites(core: Core, outside: Outside) -> None:
    with pytest.raises(NotAllowed):
        apply(core, outside, "carol")  # of the province's site alone
    a_person(core, "carol", Role.CLOUD_ADMIN, ("site", RECOVERY))
    assert apply(core, outside, "carol")["state"] == "needs_verification"
    with pytest.raises(NotFound):
        showing.show(core, an_actor(core, "erin"), "budget")
    assert showing.show(core, an_actor(core, "bob"), "budget")["id"] == 1
    assert [row["name"] for row in showing.list_plans(core, an_actor(core, "heidi"))] == ["budget"]


def test_what_is_exported_changes_nothing_when_it_is_applied(core: Core, outside: Outside) -> None:
    apply(core, outside)
    document = showing.export(core, an_actor(core, "dave"), "budget")
    [row] = acting.apply(core, an_actor(core, "dave"), outside, [document])
    assert row["result"] == "same"


# -- the proof, and what takes it away


def test_a_drill_verifies_the_plan_and_an_edit_takes_that_back(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    drilled(core)
    assert (plan_row(core).state, plan_row(core).verified_by) == ("verified", 7)
    row = apply(core, outside, rto="45m")
    assert (row["state"], row["changes"]) == ("stale", {"rto": ["30m", "45m"]})
    assert plan_row(core).stale == [{"reason": "edit", "what": ["rto"]}]
    drilled(core)
    assert (plan_row(core).state, plan_row(core).stale) == ("verified", [])


def test_a_drill_of_another_plan_says_nothing(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    drilled(core, sha256="0" * 64)
    assert plan_row(core).state == "needs_verification"


def test_a_drill_that_failed_takes_the_proof_away(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    drilled(core)
    drilled(core, has_passed=False)
    assert plan_row(core).state == "needs_verification"


def test_a_proof_grows_old(core: Core, outside: Outside, clock: FrozenClock) -> None:
    a_plan(core, outside)
    drilled(core)
    clock.advance(90 * 86_400)
    assert look(core, outside).state == "verified"
    clock.advance(1)
    row = look(core, outside)
    assert (row.state, [one["reason"] for one in row.stale]) == ("stale", ["age"])


def test_a_change_of_what_it_rests_on_is_named_and_told(core: Core, outside: Outside, at: Clouds) -> None:
    a_plan(core, outside)
    drilled(core)
    flavors = at[RECOVERY].state.flavors
    key = _id_of(flavors, "gov.medium")
    flavors[key] = Named(key, "gov.medium", {**flavors[key].details, "ram_mib": 2048})
    row = look(core, outside)
    assert row.state == "stale"
    [why] = row.stale
    assert (why["reason"], [one["what"] for one in why["what"]]) == ("drift", ["flavor gov.medium@city-1"])
    with core.store.read() as uow:
        assert {one.user_id for one in uow.all(Notice)} == {"carol", "heidi"}


def test_a_site_that_is_away_is_no_drift(core: Core, outside: Outside, at: Clouds) -> None:
    a_plan(core, outside)
    drilled(core)
    at[RECOVERY].state.is_cut_off = True
    row = look(core, outside)
    assert (row.state, row.readiness["is_ready"]) == ("verified", False)


# -- health and readiness


def test_health_follows_the_age_of_the_newest_point(core: Core, outside: Outside, clock: FrozenClock) -> None:
    a_plan(core, outside)
    assert look(core, outside).health == "seeding"
    a_point(core, clock.now())
    assert look(core, outside).health == "protected"
    clock.advance(18 * 3600)
    assert look(core, outside).health == "rpo_at_risk"
    clock.advance(8 * 3600)
    row = look(core, outside)
    assert (row.health, row.health_why[0]["code"]) == ("rpo_violated", "point_age")
    assert row.readiness["forecast"]["loss_s"] == 26 * 3600


def test_a_ready_plan_says_so_and_what_people_have_to_know(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    a_point(core, core.clock.now())
    [row] = showing.readiness(core, an_actor(core, "dave"), outside, "budget")
    assert (row["state"], row["blocks"]) == ("ready", [])
    assert {"never_proved", "no_witness"} <= set(codes(row["notes"]))


def test_everything_that_would_stop_a_failover_is_told_at_once(
    core: Core, outside: Outside, at: Clouds, clock: FrozenClock
) -> None:
    a_plan(core, outside)
    at[RECOVERY].state.missing_rights = {"compute:update_quota"}
    with core.store.write() as uow:
        uow.need(Site, RECOVERY).capacity = {"vcpus": {"total": 10, "used": 7}}
        uow.add(_failover(clock))
    [row] = showing.readiness(core, an_actor(core, "dave"), outside)
    assert set(codes(row["blocks"])) == {"moving", "right_missing", "no_point", "no_capacity"}
    assert all(one.place for one in row["blocks"])


def test_a_quota_that_is_too_small_holds_nothing_and_names_each_level(core: Core, outside: Outside) -> None:
    ledger.set_limit(core, an_actor(core, "dave"), f"project:{OTHER_PROJECT}", RECOVERY, "vcpus", 3, 0)
    row = apply(core, outside)
    assert (row["state"], codes(row["notes"])) == ("needs_verification", ["over_quota"])
    with core.store.read() as uow:
        assert uow.count(PlanReserve) == 0
    ledger.set_limit(core, an_actor(core, "dave"), f"project:{OTHER_PROJECT}", RECOVERY, "vcpus", 4, 0)
    found = look(core, outside).readiness["blocks"]
    assert "over_quota" not in codes(found)
    with core.store.read() as uow:
        assert uow.count(PlanReserve) == 5


def test_room_that_another_plan_has_reserved_is_not_there_twice(core: Core, outside: Outside) -> None:
    a_plan(core, outside, parts=[{"name": "db", "servers": ["vm-db"]}], checks=None)
    with core.store.write() as uow:
        uow.need(Site, RECOVERY).capacity = {"vcpus": {"total": 3, "used": 0}}
    row = apply(core, outside, name="web", parts=[{"name": "web", "servers": ["vm-web"]}], checks=None)
    assert codes(row["notes"]) == ["no_capacity"]
    with core.store.read() as uow:
        assert {one.plan_id for one in uow.all(PlanReserve)} == {1}


def test_the_ledger_counts_a_reserve_as_held_and_gets_it_back(core: Core, outside: Outside) -> None:
    def held() -> int:
        with core.store.read() as uow:
            mine = (QuotaRow.scope_id == OTHER_PROJECT, QuotaRow.kind == "vcpus", QuotaRow.site == RECOVERY)
            row = uow.first(QuotaRow, *mine)
            return 0 if row is None else row.held

    with core.store.write() as uow:
        recount(uow)
    a_plan(core, outside)
    assert (held(), ledger.drift(core, an_actor(core, "dave"))) == (4, [])
    a_plan(core, outside, parts=[{"name": "web", "servers": ["vm-web"]}])
    assert (held(), ledger.drift(core, an_actor(core, "dave"))) == (2, [])
    acting.retire(core, an_actor(core, "dave"), "budget", "系统下线")
    assert (held(), ledger.drift(core, an_actor(core, "dave"))) == (0, [])


# -- suspended, retired


def test_a_suspended_plan_has_to_be_rehearsed_again(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    drilled(core)
    dave = an_actor(core, "dave")
    with pytest.raises(BadInput):
        acting.suspend(core, dave, "budget", " ")
    acting.suspend(core, dave, "budget", "机房改造")
    assert "suspended" in codes(look(core, outside).readiness["blocks"])
    acting.resume(core, dave, "budget")
    assert plan_row(core).state == "needs_verification"
    with pytest.raises(WrongState):
        acting.resume(core, dave, "budget")
    with core.store.read() as uow:
        assert uow.first(AuditEvent, AuditEvent.action == "dr.plan.suspend") is not None


def test_a_plan_in_use_is_neither_changed_nor_retired(
    core: Core, outside: Outside, clock: FrozenClock
) -> None:
    a_plan(core, outside)
    with core.store.write() as uow:
        uow.add(_failover(clock))
    with pytest.raises(WrongState):
        acting.retire(core, an_actor(core, "dave"), "budget", "不再需要")
    with pytest.raises(BadInput) as told:
        apply(core, outside, rpo="1h")
    assert codes(list(told.value.faults)) == ["moving"]


def test_a_retired_plan_stays_retired(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    acting.retire(core, an_actor(core, "dave"), "budget", "系统下线")
    with pytest.raises(BadInput):
        apply(core, outside)
    assert looking.look_due(core, outside) == []


def test_each_plan_is_looked_at_by_one_worker_in_its_turn(
    core: Core, outside: Outside, clock: FrozenClock
) -> None:
    a_plan(core, outside)
    assert looking.look_due(core, outside) == ["budget"]
    assert looking.look_due(core, outside) == []
    clock.advance(looking.EVERY_S)
    assert looking.look_due(core, outside) == ["budget"]


def test_after_a_move_everything_is_told_the_other_way_round(core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    with core.store.write() as uow:
        uow.need(ProtectionPlan, 1).active_site_id = RECOVERY
    [row] = showing.readiness(core, an_actor(core, "dave"), outside, "budget")
    assert (row["site"], row["target"]) == (RECOVERY, "province")
    assert "unknown_server" in codes(row["blocks"])  # nobody has made them there


def _id_of(flavors: dict[str, Named], name: str) -> str:
    return next(key for key, one in flavors.items() if one.name == name)


def _failover(clock: FrozenClock) -> Failover:
    return Failover(
        plan_id=1, plan_sha256="", plan={}, kind="planned", from_site_id="province", to_site_id=RECOVERY,
        state="requested", owner="1", asked_at=clock.now(), asked_by="dave",
    )  # fmt: skip


def test_a_look_that_began_before_a_move_ended_does_not_put_off_the_next_one(
    core: Core, outside: Outside, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_id = apply(core, outside)["id"]
    looks_at = looking.look_at

    def look_while_it_ends(core: Core, outside: Outside, plan: ProtectionPlan) -> looking.Look:
        seen = looks_at(core, outside, plan)
        with core.store.write() as uow:
            uow.need(ProtectionPlan, plan_id).seen_at = None
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(looking, "look_at", look_while_it_ends)
        assert looking.look_due(core, outside) == ["budget"]
    assert looking.look_due(core, outside) == ["budget"], "what it did not see is looked at in the next round"
    assert looking.look_due(core, outside) == []
