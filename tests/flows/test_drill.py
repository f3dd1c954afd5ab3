"""Drills: a plan is rehearsed where nothing leads in or out, measured, and taken away again."""

from collections.abc import Callable

import pytest

from cloudctl.amounts import Kind
from cloudctl.clock import Clock, FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudQuotaExceeded, CloudRejected, Conflict, Refused, WrongState
from cloudctl.lifecycle import Done, Later
from cloudctl.models import Drill, Notice, Operation, ProtectionPlan, Site, Step
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.agents import facts_script
from dr.drills import asking, job
from dr.drills.asking import Asked
from dr.drills.ends import Ending
from dr.drills.flow import _paced
from dr.isolated.checks import Check
from dr.isolated.laying import EYE
from dr.marks import TAG_REHEARSAL
from dr.plans.document import Part, Sentinels
from dr.reports.finishing import Finishing
from provisioning.drivers.fake_state import Call
from tests.flows import rehearsing
from tests.flows.protecting import CITY, SOURCE, Protected, protect
from tests.flows.rehearsing import ADDRESS, PARTS, SMALL


@pytest.fixture
def world(core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Protected:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)
    monkeypatch.setattr("dr.drills.flow.LINGERS_S", 60)
    made = protect(core, clock, vault_sites=[CITY], sizes_gib=(1,), layout=SMALL)
    with core.store.write() as uow:
        uow.need(Site, CITY).slots = 4
    return rehearsing.patient(made)


def _steps(world: Protected, row: Drill) -> dict[str, str]:
    with world.core.store.read() as uow:
        return {one.name: one.state for one in uow.all(Step, Step.operation_id == row.operation_id)}


def _notices(world: Protected) -> list[Notice]:
    with world.core.store.read() as uow:
        return uow.all(Notice, Notice.subject_kind == "drill")


def test_a_look_s_own_time_is_part_of_the_pause_and_long_pauses_stay() -> None:
    assert _paced(Later(1.0, "x"), 0.4) == Later(0.6, "x")
    assert _paced(Later(1.0, "x"), 9.0) == Later(0.25, "x")
    assert _paced(Later(10.0, "x"), 9.0) == Later(10.0, "x")
    assert _paced(Done(), 9.0) == Done()


def test_a_drill_that_an_earlier_version_has_laid_goes_on(
    world: Protected, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsing.set_up(world)
    world.back_up()

    def keep_less(row: Drill, **what: object) -> None:
        job.keep(row, **{name: value for name, value in what.items() if name != "ports"})

    monkeypatch.setattr("dr.drills.staging.keep", keep_less)
    row = rehearsing.rehearse(world)
    assert (row.verdict, row.why) == ("passed", "")
    assert "ports" not in row.made


def test_a_system_that_comes_up_part_by_part_passes_and_nothing_is_left(world: Protected) -> None:
    rehearsing.set_up(world)
    point = world.back_up()
    before = len(rehearsing.changes_of(world, SOURCE))
    row = rehearsing.rehearse(world, reason="每季演练")
    assert (row.verdict, row.why) == ("passed", "")
    assert row.left_behind == []
    parts = row.seen["parts"]
    assert {name: one["progress"] for name, one in parts.items()} == dict.fromkeys(parts, "answered")
    assert parts["app"]["begun_s"] >= parts["db"]["answered_s"]
    assert parts["report"]["begun_s"] == parts["db"]["begun_s"]
    assert row.rto_s == row.seen["times"]["verified"] > 0
    times, segments = row.seen["times"], row.seen["recovery_time"]["segments"]
    [waited_s] = [one["seconds"] for one in segments if one["name"] == "probe"]
    assert waited_s == pytest.approx(times["starting"] - times["cloned"], abs=0.001)
    assert row.seen["recovery_time"]["not_exercised"] == ["detect", "decide", "fence", "traffic"]
    assert row.seen["is_one_clock"]
    assert point.taken_at is not None
    assert row.fault_at is not None
    assert row.rpo_s == (row.fault_at - point.taken_at).total_seconds()
    assert row.seen["isolation"]["answered"] == {}
    assert "198.51.100.10:5000" in row.seen["isolation"]["tried"]
    assert _steps(world, row)["part app"] == "done"
    rehearsing.assert_gone(world)
    assert len(rehearsing.changes_of(world, SOURCE)) == before, "the province was not touched"


def test_no_server_starts_before_the_probe_has_said_that_it_is_cut_off(world: Protected) -> None:
    inside = rehearsing.set_up(world)
    world.back_up()
    inside.leaks.add("198.51.100.10")
    row = rehearsing.rehearse(world)
    assert (row.verdict, row.why[:20]) == ("inconclusive", "it is not cut off: 1")
    made = [one.subject for one in world.clouds[CITY].state.calls if one.name == "create_server"]
    assert made == ["cloudctl-probe"]
    told = _notices(world)
    assert {one.user_id for one in told} == {"dave", "heidi"}
    assert all("198.51.100.10" in one.params["answered"] for one in told)
    rehearsing.assert_gone(world)


def test_a_leak_while_it_is_held_takes_the_verdict_back(world: Protected) -> None:
    inside = rehearsing.set_up(world)
    world.back_up()
    row = rehearsing.work(world, rehearsing.begin(world, hold_s=3600), until="holding")
    assert row.verdict == "passed"
    inside.leaks.add("10.20.0.1")
    row = rehearsing.work(world, row)
    assert (row.verdict, row.ended_at) == ("inconclusive", world.clock.now())
    rehearsing.assert_gone(world)


def test_a_copy_is_told_that_it_is_rehearsed_and_so_is_no_other_server(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    rehearsing.work(world, rehearsing.begin(world, hold_s=3600), until="holding")
    there = world.clouds[CITY].state.servers.values()
    told = {one.name: one.tags.get(TAG_REHEARSAL) for one in there}
    assert told.pop(EYE) is None
    assert set(told.values()) == {"yes"}
    assert TAG_REHEARSAL == facts_script.TAG


def test_a_part_that_hangs_delays_nobody_who_does_not_need_it(world: Protected) -> None:
    parts = (Part("hangs", ("budget-vm1",), patience_s=300, is_critical=False),
             Part("first", ("budget-vm2",)), Part("then", ("budget-vm3",), ("first",)))  # fmt: skip
    inside = rehearsing.set_up(world, parts=parts, checks=())
    inside.hanging.add(ADDRESS["db"])
    world.back_up()
    row = rehearsing.rehearse(world)
    stands = row.seen["parts"]
    assert stands["hangs"]["progress"] == "failed"
    assert stands["then"]["answered_s"] < stands["hangs"]["ended_s"] - 200
    assert row.verdict == "passed", "it does not count"
    assert row.rto_s == stands["then"]["answered_s"]


def test_what_needs_a_part_that_failed_never_begins_and_the_drill_fails(world: Protected) -> None:
    inside = rehearsing.set_up(world)
    inside.hanging.add(ADDRESS["db"])
    world.back_up()
    row = rehearsing.rehearse(world)
    assert row.verdict == "failed"
    assert row.why.startswith("db: no answer within 120 s: tcp://budget-vm1:5432@10.20.0.77")
    assert row.seen["parts"]["app"]["progress"] == "blocked"
    assert row.seen["parts"]["report"]["progress"] == "answered"
    assert row.rto_s is None
    made = [one.subject for one in world.clouds[CITY].state.calls if one.name == "create_server"]
    assert made == ["cloudctl-probe", "budget-vm1", "budget-vm3"]
    rehearsing.assert_gone(world)


def test_a_whole_that_answers_otherwise_fails_though_every_part_came_up(world: Protected) -> None:
    checks = (Check("http", 80, server="report", path="/all", status=200, contains="ok"),)
    inside = rehearsing.set_up(world, checks=checks)
    inside.wrong.add(ADDRESS["report"])
    world.back_up()
    row = rehearsing.rehearse(world)
    assert row.verdict == "failed"
    assert row.why == f"the check did not pass: http://report:80/all@{ADDRESS['report']}"


def test_coming_up_later_than_the_objective_says_is_a_failure(world: Protected) -> None:
    rehearsing.set_up(world, rto_s=5)
    world.back_up()
    row = rehearsing.rehearse(world)
    assert row.verdict == "failed"
    assert row.why == f"RTO {row.rto_s:g} s instead of 5 s"


def test_a_part_that_is_not_in_the_point_makes_it_inconclusive_and_is_named(world: Protected) -> None:
    rehearsing.set_up(world, parts=(*PARTS, Part("mail", ("elsewhere",))))
    world.back_up()
    row = rehearsing.rehearse(world)
    assert (row.verdict, row.why) == ("inconclusive", "could not be rehearsed: mail")


def test_a_hold_lasts_as_long_as_asked_and_ends_early_when_somebody_says_so(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    row = rehearsing.work(world, rehearsing.begin(world, hold_s=7200), until="holding")
    assert row.hold_until is not None
    assert len(world.clouds[CITY].state.servers) == 4
    world.clock.advance(600)
    asking.end(world.core, rehearsing.officer(world), row.id)
    row = rehearsing.work(world, row)
    assert row.ended_at is not None
    assert (row.ended_at - row.begun_at).total_seconds() < 3600
    assert row.verdict == "passed"
    with pytest.raises(WrongState):
        asking.end(world.core, rehearsing.officer(world), row.id)
    rehearsing.assert_gone(world)


def test_an_aborted_drill_is_cleared_away_and_says_who_stopped_it(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    row = rehearsing.begin(world)
    state = world.clouds[CITY].state

    def stop(call: Call) -> None:
        if call.name == "create_server":
            state.after = lambda _call: None
            asking.abort(world.core, rehearsing.officer(world), row.id, "wrong evening")

    state.after = stop
    row = rehearsing.work(world, row)
    assert (row.verdict, row.why) == ("inconclusive", "aborted by olga")
    rehearsing.assert_gone(world)


def test_a_cloud_that_refuses_says_nothing_about_the_plan(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    error = CloudQuotaExceeded("no room", cloud_request_id="req-9")
    world.clouds[CITY].fail("create_server", nth=2, error=error, times=99)
    row = rehearsing.rehearse(world)
    assert (row.verdict, row.why) == ("inconclusive", "no room [req-9]")
    with world.core.store.read() as uow:
        assert uow.need(Operation, row.operation_id).state == "done"
    rehearsing.assert_gone(world)


def test_a_site_without_room_is_told_before_anything_is_made(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    world.clouds[CITY].state.capacity[Kind.VCPUS] = 2
    row = rehearsing.rehearse(world)
    assert row.verdict == "inconclusive"
    assert "the site has 2 left, and the drill needs 4" in row.why
    assert [one["code"] for one in row.seen["faults"]] == ["no_room"]
    assert not world.clouds[CITY].count("create_project") - 1
    rehearsing.assert_gone(world)


def test_what_does_not_go_is_named_alarmed_once_and_tried_until_it_is_gone(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    city = world.clouds[CITY]
    city.fail("delete_network", nth=1, error=CloudRejected("it is stuck"), times=9)
    row = rehearsing.work(world, rehearsing.begin(world), until="cleanup_incomplete")
    assert row.verdict == "passed"
    assert row.left_behind == ["it is stuck"]
    assert row.ended_at is None
    with pytest.raises(Conflict):
        rehearsing.begin(world)
    row = rehearsing.work(world, row)
    assert row.left_behind == []
    assert len([one for one in _notices(world) if one.user_id == "dave"]) == 1
    rehearsing.assert_gone(world)


def test_nothing_with_its_tag_is_left_anywhere_before_a_drill_is_done(world: Protected) -> None:
    """Somebody moved a volume of the drill out of its project; the drill does not end over it."""
    rehearsing.set_up(world)
    world.back_up()
    state = world.clouds[CITY].state
    row = rehearsing.work(world, rehearsing.begin(world, hold_s=60), until="holding")
    stray = next(one for one in state.volumes.values() if one.tags.get("cloudctl:drill") == str(row.id))
    rehearsing.stray(world, stray)
    row = rehearsing.work(world, row, until="cleanup_incomplete")
    assert row.left_behind == [f"volume {stray.name}"]
    state.volumes.pop("stray")
    assert rehearsing.work(world, row).left_behind == []


def test_a_stale_point_is_refused_unless_somebody_names_it(world: Protected) -> None:
    rehearsing.set_up(world)
    point = world.back_up()
    world.clock.advance(3 * 86400 + 3600)
    with pytest.raises(Refused) as refused:
        rehearsing.begin(world)
    [fault] = refused.value.faults
    assert (fault.place, fault.code) == ("point", "stale")
    assert "three times its rhythm of 86400 s" in fault.text()
    row = rehearsing.rehearse(world, point=point.id[:8])
    assert row.verdict == "failed"
    assert row.why.startswith("RPO 2")


def test_a_random_fault_takes_the_point_that_was_there_then(world: Protected) -> None:
    rehearsing.set_up(world)
    old = world.back_up()
    world.clock.advance(6 * 3600)
    new = world.back_up()
    world.clock.advance(3600)
    actor, asked = rehearsing.officer(world), Asked(fault="random")
    late = asking.preview(world.core, actor, "budget", asked, lambda: 0.01)
    early = asking.preview(world.core, actor, "budget", asked, lambda: 0.1)
    assert (late["point"], early["point"]) == (new.id, old.id)
    assert early["fault_at"] < late["fault_at"] < world.clock.now()


def test_a_drill_reads_the_sentinels_in_its_clone(world: Protected) -> None:
    sentinels = Sentinels("http://app/write", "http://budget-vm2:80/sentinels")
    inside = rehearsing.set_up(world, sentinels=sentinels)
    inside.records = '{"format": "cloudctl-sentinel-1"}'
    world.back_up()
    row = rehearsing.rehearse(world)
    [name] = [key for key in row.seen["checks"] if key.startswith("sentinels")]
    assert name.endswith(ADDRESS["app"])
    assert row.seen["checks"][name][0]
    assert row.verdict == "passed"


class _Ending:
    """Remembers what follows."""

    def __init__(self) -> None:
        self.reported: list[int] = []
        self.said: list[tuple[str, bool]] = []

    def report(self, run: Run, drill_id: int) -> None:
        self.reported.append(drill_id)

    def verified(
        self, uow: UnitOfWork, clock: Clock, plan: ProtectionPlan, drill: Drill, has_passed: bool
    ) -> None:
        self.said.append((plan.name, has_passed))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda inside: None, [("budget", True)]),
        (lambda inside: inside.wrong.add(ADDRESS["app"]), [("budget", False)]),
        (lambda inside: inside.leaks.add("198.51.100.10"), []),
    ],
)
def test_a_drill_is_reported_and_its_plan_told_only_what_it_has_shown(
    world: Protected, spoil: Callable[[rehearsing.Answers], None], said: list[tuple[str, bool]]
) -> None:
    inside = rehearsing.set_up(world)
    world.back_up()
    spoil(inside)
    ending = _Ending()
    row = rehearsing.work(world, rehearsing.begin(world), ending)
    assert ending.reported == [row.id]
    assert ending.said == said


def test_a_drill_that_passed_verifies_its_plan_and_leaves_a_signed_report(world: Protected) -> None:
    rehearsing.set_up(world)
    world.back_up()
    ending = Ending(Finishing(world.core.settings, world.keyring.signer, world.core.audit))
    row = rehearsing.work(world, rehearsing.begin(world), ending)
    with world.core.store.read() as uow:
        plan = uow.need(ProtectionPlan, row.plan_id)
    assert (plan.state, plan.verified_by) == ("verified", row.id)
    assert (row.report["verdict"], row.report["rto_s"]) == ("passed", row.rto_s)
    assert row.report["left_behind"] == []
    assert row.report_sha256
    assert row.signature
