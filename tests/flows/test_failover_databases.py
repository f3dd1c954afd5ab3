"""A move of a database that copies itself: demoted, read to its end, promoted, followed by the old one."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.errors import Refused
from cloudctl.models import Failover, ProtectionPlan
from dr.failover import back
from dr.failover.job import PLANNED, UNPLANNED
from dr.plans.document import Part, Way
from dr.ways import database_asking, measuring
from provisioning.drivers.fake_plays import FakePlays
from tests.builders import a_resource
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.moving import CITY, PLAN, PROVINCE, SYSTEM
from tests.flows.switching import ADDRESS, DATABASE, WEB, Switching, switching
from tests.flows.test_failover_crash import Watched

SAMPLE = 2  # of the points of a story in an ordinary run; the soak takes all


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Switching]:
    made = switching(tmp_path)
    made.set_up()
    assert made.write(PROVINCE, "a")
    yield made
    assert not made.two_wrote()
    assert not made.overlaps
    made.close()


def make_ready(world: Switching) -> None:
    core = world.cores[CITY]
    asked = back.begin(core, world.actor(CITY, "olga"), PLAN, "the water has gone down")
    done = world.run(asked["operation_id"])
    assert done.state == "done", done.error_message


def test_a_planned_move_reads_at_the_target_how_far_the_old_database_came(world: Switching) -> None:
    assert world.write(PROVINCE, "b")
    row = world.work(CITY, world.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert (row.fence["rung"], row.rpo_s) == ("agents", 0.0)
    marker = row.marker["application"]["db"]
    assert (marker["server"], marker["position"], marker["there"]) == ("db-1", 2, 2)
    assert row.made["parts"]["db"]["addresses"] == {"db-1": [ADDRESS[CITY]]}
    assert not world.write(PROVINCE, "c")
    assert world.write(CITY, "c")
    assert world.log(CITY) == ["a", "b", "c"]


def test_where_only_databases_write_that_they_are_demoted_is_the_fence(tmp_path: Path) -> None:
    world = switching(tmp_path, has_agents=False)
    world.set_up()
    row = world.work(CITY, world.begin(PLANNED))
    assert (row.state, row.fence["rung"]) == ("shifted", "database")
    assert row.fence["proof"]["ended"]["db"]["server"] == "db-1"
    make_ready(world)  # the old server runs, and is no reason to wait
    assert world.write(CITY, "b")
    assert world.log(PROVINCE) == ["b"]
    assert not world.two_wrote()
    world.close()


def test_two_that_write_and_look_like_one_are_left_alone_until_somebody_says_which_gives_way(
    tmp_path: Path,
) -> None:
    world = switching(tmp_path)
    assert world.databases is not None
    world.databases.at[ADDRESS[CITY]].system = world.databases.at[ADDRESS[PROVINCE]].system
    assert world.write(CITY, "nobody else has this")
    assert world.write(PROVINCE, "a")
    core, dave = world.cores[CITY], world.actor(CITY, "dave")
    done = world.run(database_asking.set_up(core, dave, PLAN)["operation_id"])
    assert (done.state, done.error_code) == ("failed", Refused.code)
    assert "--anew" in str(done.error_message)
    assert world.log(CITY) == ["nobody else has this"]
    entry = world.witness.read(PLAN)
    assert entry is not None
    moved = world.witness.swap(entry, replace(entry, epoch=entry.epoch + 1, holder=CITY))
    done = world.run(database_asking.set_up(core, dave, PLAN, is_anew=True)["operation_id"])
    assert (done.state, done.error_code) == ("failed", Refused.code), "this installation does not know it yet"
    assert world.log(CITY) == ["nobody else has this"]
    world.witness.swap(moved, replace(entry, epoch=entry.epoch + 2))
    asked = database_asking.set_up(core, dave, PLAN, is_anew=True)["operation_id"]
    assert world.run(asked).state == "done"
    assert world.log(CITY) == ["a"]
    assert world.databases.at[ADDRESS[CITY]].kept == {f"setup-{asked}": ["nobody else has this"]}
    world.close()


def test_another_server_that_may_write_keeps_a_demoted_database_from_being_the_fence(tmp_path: Path) -> None:
    more = Part("batch", ("batch-1",), way=Way.NONE)
    world = switching(tmp_path, has_agents=False, parts=(DATABASE, WEB, more))
    project = f"{SYSTEM}/prod@{PROVINCE}"
    a_resource(world.cores[CITY], project, {"instances": 1}, name="batch-1", external_id="batch-1-id")
    world.set_up()
    failover_id, world.patience = world.begin(PLANNED), 20
    with pytest.raises(AssertionError, match="never comes"):
        world.work(CITY, failover_id)
    assert world.failover(CITY, failover_id).state == "seized"
    assert not world.write(PROVINCE, "b"), "it is demoted by then"
    world.close()


def test_what_does_not_arrive_is_given_back_and_the_old_database_writes_again(world: Switching) -> None:
    assert world.databases is not None
    failover_id, plays = world.begin(PLANNED), world.plays
    assert isinstance(plays, FakePlays)

    def cut(call: object) -> None:
        if "database_demote" in str(call) and not world.databases.is_cut:
            world.databases.is_cut = True
            assert world.write(PROVINCE, "last")

    plays.before = cut
    row = world.work(CITY, failover_id)
    assert (row.state, row.error_code) == ("aborted", Refused.code)
    assert "1 bytes" in str(row.error_message)
    world.databases.is_cut = False
    assert world.write(PROVINCE, "goes on")
    assert world.log(CITY) == ["a", "last", "goes on"]


def test_an_old_server_that_is_off_cannot_be_asked_and_the_move_is_given_back(world: Switching) -> None:
    failover_id, plays = world.begin(PLANNED), world.plays
    assert isinstance(plays, FakePlays)
    old = plays.guest(ADDRESS[PROVINCE])
    plays.before = lambda _call: setattr(old, "is_up", world.failover(CITY, failover_id).state != "fenced")
    row = world.work(CITY, failover_id)
    assert (row.state, row.error_code) == ("aborted", Refused.code)
    assert world.write(PROVINCE, "goes on")


def test_after_a_loss_what_only_the_old_database_had_is_kept_and_a_new_copy_follows(world: Switching) -> None:
    assert world.databases is not None
    world.databases.is_cut = True
    assert world.write(PROVINCE, "never arrived")
    world.databases.stop(ADDRESS[PROVINCE], is_clean=False)
    row = world.work(CITY, world.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    assert world.write(CITY, "b")
    world.databases.is_cut = False
    make_ready(world)
    assert world.log(PROVINCE) == ["a", "b"]
    assert world.databases.at[ADDRESS[PROVINCE]].kept[f"move-{row.id}"] == ["a", "never arrived"]


def test_there_and_back_again_with_every_write(world: Switching) -> None:
    world.work(CITY, world.begin(PLANNED))
    assert world.write(CITY, "b")
    make_ready(world)
    row = world.failover(CITY, 1)
    with world.cores[CITY].store.write() as uow:
        uow.need(Failover, row.id).state = "committed"
    row = world.work(CITY, world.begin_to(PROVINCE))
    assert (row.state, row.from_site_id) == ("shifted", CITY), row.error_message
    assert world.write(PROVINCE, "c")
    assert not world.write(CITY, "d")
    assert world.log(PROVINCE) == ["a", "b", "c"]


def test_a_target_that_does_not_follow_is_found_before_anything_is_taken(world: Switching) -> None:
    assert world.databases is not None
    world.databases.is_cut = True
    row = world.work(CITY, world.begin(PLANNED))
    assert row.state == "aborted"
    assert world.databases.at[ADDRESS[PROVINCE]].follows == ""
    assert world.write(PROVINCE, "b")


def test_how_far_behind_it_is_goes_on_when_the_stream_does_not(world: Switching) -> None:
    assert world.databases is not None
    core, dave = world.cores[CITY], world.actor(CITY, "dave")
    world.pass_time(60)
    assert measuring.look_due(core, world.asked()) == [PLAN]
    assert measuring.look_due(core, world.asked()) == [], "not its turn"
    [row] = database_asking.lag(core, dave, PLAN)
    assert (row["state"], row["behind_s"], row["writes"], row["follows"]) == (
        "streaming",
        0.0,
        "db-1",
        "db-2",
    )
    world.databases.is_cut = True
    world.pass_time(100)
    measuring.look_due(core, world.asked())
    [row] = database_asking.lag(core, dave, PLAN)
    assert (row["state"], row["behind_s"]) == ("broken", 100.0)
    with core.store.read() as uow:
        assert uow.need(ProtectionPlan, 1).copies["db"]["problem"]


# -- whoever moves it dies


def _tell(home: Path, kind: str, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    world = switching(home, has_agents=kind != "demoted")
    world.set_up()
    assert world.write(PROVINCE, "a")
    failover_id = world.begin(UNPLANNED if kind == UNPLANNED else PLANNED)
    plays, executioner = world.plays, Executioner(at)
    assert isinstance(plays, FakePlays)
    store = MortalStore(world.cores[CITY].settings.database_url, executioner)
    plays.before, plays.after = executioner.before, executioner.after
    try:
        mortal = replace(world, witness=Watched(world.witness, executioner))
        mortal.engine(CITY, store).run(world.failover(CITY, failover_id).operation_id or 0)
    except Killed:
        pass
    finally:
        store.close()
    plays.before = plays.after = lambda _call: None
    if executioner.is_dead:
        world.pass_time(world.cores[CITY].settings.lease_s + 1)
    row = world.work(CITY, failover_id)
    assert row.state == "shifted", row.error_message
    assert world.databases is not None
    assert world.databases.at[ADDRESS[CITY]].timeline == 2, "promoted once"
    assert world.log(CITY) == ["a"]
    assert kind == UNPLANNED or not world.two_wrote()
    world.close()
    return executioner


@cache
def _points(kind: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", kind, 0).points)


KINDS = (PLANNED, UNPLANNED, "demoted")


@pytest.mark.parametrize("kind", KINDS)
def test_a_death_at_some_points_leaves_one_database_that_writes(kind: str, tmp_path: Path) -> None:
    total = _points(kind)
    assert total > 20
    for at in sorted(random.Random(kind).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", kind, at)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_death_at_every_point_leaves_one_database_that_writes(kind: str, tmp_path: Path) -> None:
    total = _points(kind)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", kind, at)
        except AssertionError as error:
            raise AssertionError(f"{kind}, point {at} of {total}") from error
    print(f"{kind}: {total} deaths")
