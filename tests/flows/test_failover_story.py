"""Moves from the asking to the end: planned, unplanned, given back, stuck, lost to another one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.errors import Conflict, Refused, StorageRefused, WitnessUnavailable, WrongState
from cloudctl.lifecycle import FAILOVER
from cloudctl.models import AuditEvent, Notice, ProtectionPlan
from cloudctl.ports import Register
from dr.failover import deciding
from dr.failover.job import PLANNED, UNPLANNED
from provisioning.drivers.fake_witness import FakeWitness
from tests.flows.moving import CITY, PLAN, PROVINCE, World, a_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = a_world(tmp_path)
    yield made
    assert not made.overlaps
    made.close()


def test_a_planned_move_ends_at_the_other_site_and_loses_nothing(world: World) -> None:
    assert world.agents[PROVINCE].writes
    row = world.work(CITY, world.begin(PLANNED))
    assert (row.state, row.epoch, row.fence["rung"], row.rpo_s) == ("shifted", 2, "agents", 0.0)
    assert row.marker == {"replication": {"marker": "after 1"}, "none": {"marker": "after 1"}}
    assert world.ways[CITY].promoted == [(CITY, 2)]
    assert world.agents[CITY].writes
    assert not world.agents[PROVINCE].writes
    assert (world.plan().active_site_id, world.plan().epoch) == (CITY, 2)
    assert row.commit_until is not None
    assert row.rto_s is not None
    assert row.rto_s < 60


def test_an_unplanned_move_waits_until_the_last_lease_is_over(world: World) -> None:
    world.witness.cut(PROVINCE)
    world.agents[PROVINCE].is_hung = True  # it says nothing; its writers go on until its lease is over
    row = world.work(CITY, world.begin(UNPLANNED))
    assert (row.state, row.fence["rung"]) == ("shifted", "lease")
    assert row.fence["proof"]["waited_s"] >= row.fence["proof"]["needed_s"] > 30
    assert world.ways[CITY].synced == []


def test_an_unplanned_move_goes_on_at_once_when_the_agents_say_that_they_stand_still(world: World) -> None:
    row = world.work(CITY, world.begin(UNPLANNED))
    assert (row.state, row.fence["rung"]) == ("shifted", "agents")


def test_a_planned_move_never_takes_the_end_of_a_lease_for_proof(world: World) -> None:
    failover_id, world.patience = world.begin(PLANNED), 50  # a lease is long over by then
    world.witness.cut(PROVINCE)
    world.agents[PROVINCE].is_hung = True
    with pytest.raises(AssertionError, match="never comes"):
        world.work(CITY, failover_id)
    assert world.failover(CITY, failover_id).state == "seized"
    assert world.ways[CITY].promoted == []


def test_a_move_that_is_stopped_is_given_back_and_the_old_site_writes_again(world: World) -> None:
    failover_id = world.begin(PLANNED)
    world.ways[CITY].waits = 10_000
    engine = world.engine(CITY)
    world.ways[CITY].hook = lambda name: (
        world.clock.advance(0) if name != "restore" else _stop(world, failover_id)
    )
    engine.run(world.failover(CITY, failover_id).operation_id or 0)
    row = world.work(CITY, failover_id)
    assert (row.state, world.operation(CITY, row.operation_id).state) == ("aborted", "failed")
    entry = world.witness.read(PLAN)
    assert entry is not None
    assert (entry.holder, entry.is_open, entry.epoch, entry.owner) == (PROVINCE, True, 3, "")
    world.pass_time(2)
    assert world.agents[PROVINCE].writes
    assert world.ways[CITY].made == set()
    assert world.plan().active_site_id == PROVINCE


def _stop(world: World, failover_id: int) -> None:
    if world.operation(CITY, world.failover(CITY, failover_id).operation_id).cancel_asked_at is None:
        deciding.abort(world.cores[CITY], world.actor(CITY, "olga"), failover_id, "the flood has passed")


def test_the_old_storage_is_turned_while_the_register_is_ours_and_never_else(world: World) -> None:
    seen: list[tuple[int, bool]] = []
    lost: list[bool] = []

    def hook(name: str) -> None:
        entry = world.witness.read(PLAN)
        assert entry is not None
        if name == "let_go":
            seen.append((entry.epoch, entry.is_open))
        if name == "restore":
            if lost:  # another move takes the next epoch
                world.witness.swap(entry, replace(entry, epoch=entry.epoch + 1, owner="another"))
            raise StorageRefused("no copy")

    world.ways[CITY].hook = hook
    assert world.work(CITY, world.begin(PLANNED)).state == "aborted"
    assert set(seen) == {(2, False)}
    seen.clear()
    world.pass_time(2)
    lost.append(True)
    assert world.work(CITY, world.begin(PLANNED)).state == "aborted"
    assert seen == []


def test_a_seizure_that_arrives_after_the_move_was_stopped_closes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failover_id, swap = world.begin(PLANNED), FakeWitness.swap
    late: list[tuple[Register | None, Register]] = []

    def frozen(self: FakeWitness, before: Register | None, after: Register) -> Register:
        if not late:
            late.append((before, after))
            _stop(world, failover_id)
            raise WitnessUnavailable("no answer")
        return swap(self, before, after)

    monkeypatch.setattr(FakeWitness, "swap", frozen)
    assert world.work(CITY, failover_id).state == "aborted"
    with pytest.raises(Conflict):
        swap(world.witness, *late[0])
    entry = world.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.holder, entry.is_open) == (1, PROVINCE, True)


def test_a_move_that_is_promoting_cannot_be_stopped_any_more(world: World) -> None:
    failover_id = world.begin(PLANNED)
    refused: list[str] = []

    def hook(name: str) -> None:
        if name == "promote":
            with pytest.raises(WrongState) as caught:
                deciding.abort(world.cores[CITY], world.actor(CITY, "olga"), failover_id, "too late")
            refused.append(caught.value.text())

    world.ways[CITY].hook = hook
    assert world.work(CITY, failover_id).state == "shifted"
    assert set(refused) == {f"the move {failover_id} is promoting, and cannot be given back"}


def test_a_part_waits_for_what_it_needs_and_for_nothing_else(world: World) -> None:
    assert world.answers is not None
    world.answers.silent.add("tcp")  # what is not critical never answers
    row = world.work(CITY, world.begin(PLANNED))
    parts = row.made["parts"]
    assert row.state == "shifted"
    assert parts["stats"]["failed_at"]
    assert parts["web"]["begun_at"] >= parts["db"]["done_at"]
    assert parts["web"]["done_at"] < parts["stats"]["failed_at"]


def test_a_critical_part_that_stays_silent_is_told_once_and_asked_on(world: World) -> None:
    assert world.answers is not None
    world.answers.silent.add("postgresql")
    world.patience = 30
    failover_id = world.begin(PLANNED)
    with pytest.raises(AssertionError, match="never comes"):
        world.work(CITY, failover_id)
    row = world.failover(CITY, failover_id)
    assert row.state == "opened"
    assert "web" not in row.made["parts"]
    with world.cores[CITY].store.read() as uow:
        told = [one for one in uow.all(Notice) if one.params.get("part") == "db"]
    assert len({one.user_id for one in told}) == len(told) > 0
    world.answers.silent.clear()
    assert world.work(CITY, failover_id).state == "shifted"


def test_what_people_said_yes_to_is_what_is_done(world: World) -> None:
    failover_id = world.begin(PLANNED)
    with world.cores[CITY].store.write() as uow:
        row = uow.need(type(world.failover(CITY, failover_id)), failover_id)
        row.plan = {**row.plan, "lease_s": 1}  # somebody changed it behind everybody's back
    row = world.work(CITY, failover_id)
    assert (row.state, row.error_code) == ("aborted", Refused.code)
    entry = world.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.is_open) == (1, True)


def test_data_that_cannot_come_ends_the_move_before_anything_is_taken(world: World) -> None:
    from cloudctl.errors import Fault

    world.ways[CITY].faults.append(Fault("parts.db", "no_room", "there is no room"))
    row = world.work(CITY, world.begin(PLANNED))
    assert (row.state, row.error_code) == ("aborted", Refused.code)
    assert world.agents[PROVINCE].writes


def test_a_move_is_committed_by_a_person_and_everything_is_in_the_audit(world: World) -> None:
    failover_id = world.begin(PLANNED)
    with world.cores[CITY].store.write() as uow:
        uow.all(ProtectionPlan)[0].seen_at = world.cores[CITY].clock.now()
    world.work(CITY, failover_id)
    assert deciding.commit(world.cores[CITY], world.actor(CITY, "olga"), failover_id)["state"] == "committed"
    with world.cores[CITY].store.read() as uow:
        acts = [one.action for one in uow.all(AuditEvent) if one.action.startswith("failover.")]
        [plan] = uow.all(ProtectionPlan)
    assert plan.seen_at is None, "the next round of looks holds room for the way back"
    states = "reserved drained seized fenced synced promoting promoted opened started validated shifted"
    by_people = ["ask", "approve", "approve"]
    told = [*by_people, *states.split(), "commit"]
    assert acts == [f"failover.{one}" for one in told]


def test_of_two_moves_at_once_one_wins_and_the_other_ends(tmp_path: Path) -> None:
    world = a_world(tmp_path, sites=(CITY, PROVINCE))
    city = world.begin(PLANNED, CITY)
    world.work(CITY, city)
    back = world.cores[PROVINCE]
    with back.store.write() as uow:  # what the city did has not come here yet
        [plan] = uow.all(ProtectionPlan)
        plan.active_site_id = CITY
        plan.epoch = 2
    first, second = world.ask(PLANNED, PROVINCE), world.failover(CITY, city)
    for who in ("dave", "bob"):
        world.approve(first, who, PROVINCE)
    entry = world.witness.read(PLAN)
    assert entry is not None
    world.witness.swap(entry, replace(entry, epoch=3, holder=PROVINCE, is_open=False, owner="another"))
    row = world.work(PROVINCE, first)
    assert (row.state, second.state) == ("aborted", "shifted")
    assert world.ways[PROVINCE].promoted == []
    world.close()


def test_there_is_and_back_again(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    there = world.begin(PLANNED)
    world.work(CITY, there)
    deciding.commit(world.cores[CITY], world.actor(CITY, "olga"), there)
    wanted = world.cores[CITY]
    world.cores[PROVINCE], world.ways[PROVINCE] = wanted, world.ways[PROVINCE]
    back = world.begin(PLANNED, PROVINCE)
    row = world.work(PROVINCE, back)
    assert (row.state, row.epoch, row.to_site_id) == ("shifted", 3, PROVINCE)
    assert world.agents[PROVINCE].writes
    assert not world.overlaps
    wanted.store.close()


def test_every_row_of_the_table_is_an_event_that_the_code_names() -> None:
    from pathlib import Path as Folder

    folder = Folder(deciding.__file__).parent
    code = "\n".join(one.read_text(encoding="utf-8") for one in folder.glob("*.py"))
    assert [row.event for row in FAILOVER if f'"{row.event}"' not in code] == []
