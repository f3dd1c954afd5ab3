"""What a move owes to agents: it waits as long as they may write, and tells copied ones who they are now."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from cloudctl.models import Resource
from dr.failover import timing
from dr.failover.job import PLANNED, UNPLANNED
from tests.flows import test_failover_points
from tests.flows.moving import CITY, LEASE_S, PLAN, PROVINCE, World, a_world
from tests.flows.test_failover_points import Moving

tiny_gib, moving = test_failover_points.tiny_gib, test_failover_points.moving


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = a_world(tmp_path)
    yield made
    made.close()


def waited_s(world: World) -> float:
    """From the register to the proof, in a move whose old site is cut off."""
    world.witness.cut(PROVINCE)
    row = world.work(CITY, world.begin(UNPLANNED), until="fenced")
    fenced, seized = (datetime.fromisoformat(row.times[name]) for name in ("fenced", "seized"))
    return (fenced - seized).total_seconds()


def test_the_end_of_a_lease_is_that_of_the_longest_which_an_agent_runs_with(world: World) -> None:
    world.witness.enrol(PLAN, PROVINCE, "db-1", 90)  # installed so, and the plan was edited afterwards
    assert LEASE_S < 90
    assert waited_s(world) >= timing.wait_s(90)


def test_agents_with_a_shorter_lease_than_the_plan_has_do_not_shorten_the_wait(world: World) -> None:
    world.witness.enrol(PLAN, PROVINCE, "db-1", 5)
    assert waited_s(world) >= timing.wait_s(LEASE_S)


def test_a_server_that_a_move_made_is_settled_at_the_new_site(moving: Moving) -> None:
    moving.world.back_up()
    row = moving.run(moving.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    with moving.world.core.store.read() as uow:
        [made] = uow.all(Resource, Resource.site_id == CITY, Resource.kind == "server")
    assert made.external_id is not None
    assert moving.witness.home(PLAN, made.external_id) == (CITY, made.name)
