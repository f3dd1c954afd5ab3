"""Points proved by starting what they hold where nothing leads in or out (L3), and asking it (L4)."""

from dataclasses import replace
from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudQuotaExceeded
from cloudctl.models import Notice, RoleGrant
from cloudctl.ports import Rule
from provisioning import zone_rules
from provisioning.drivers.fake_chunks import Layout
from tests.flows.protecting import CITY, Protected, protect
from tests.flows.proving_ground import (
    ADDRESS,
    HEALTHY,
    assert_swept,
    last_proof,
    make_startable,
)

SMALL = Layout(gib_bytes=96 << 10, object_bytes=64 << 10, block_bytes=32 << 10)


@pytest.fixture
def world(core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Protected:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)
    settings = replace(core.settings, proof_patience_s=60.0)
    patient = replace(core, settings=settings)
    return protect(patient, clock, vault_sites=[CITY], sizes_gib=(1, 1), layout=SMALL)


def test_an_application_that_answers_in_isolation_proves_its_point_to_level_four(world: Protected) -> None:
    inside = make_startable(world, HEALTHY, {"kind": "tcp", "port": 22, "server": "vm1"})
    point = world.back_up()
    proof = world.prove(point.id, "L4")
    assert (proof.state, proof.reached) == ("passed", "L4"), proof.details
    assert world.point(point.id).level == "L4"
    running = proof.details["running"]
    assert [one["address"] for one in running["servers"]] == [ADDRESS]
    assert [(one["name"], one["is_passed"]) for one in running["checks"]] == [
        (f"http://budget-vm1:80/health@{ADDRESS}", True),
        (f"tcp://vm1:22@{ADDRESS}", True),
    ]
    assert running["canary"] == {
        "tried": ["10.20.0.1", "fd00:1:1::1", "198.51.100.10:5000", "198.51.100.10:8774"],
        "answered": {},
        "ways_out": [],
    }
    assert len({task["nonce"] for task in inside.tasks}) == 1
    assert proof.signature
    assert_swept(world)


def test_servers_start_from_the_restored_volumes_in_their_order_and_may_ask_each_other(
    world: Protected,
) -> None:
    make_startable(world, HEALTHY)
    made, rules = [], {}
    state = world.clouds[CITY].state
    state.before = lambda _call: rules.update({one.name: set(one.rules) for one in state.groups.values()})
    state.after = lambda call: made.append(dict(state.servers)) if call.name == "create_server" else None
    world.prove(world.back_up().id, "L3")
    servers = {one.name: one for step in made for one in step.values()}
    assert set(servers) == {"cloudctl-probe", "budget-vm1"}
    assert servers["budget-vm1"].flavor == "gov.small"
    assert len(servers["budget-vm1"].volume_ids) == 2
    assert state.user_data[servers["budget-vm1"].id] is None
    assert Rule("ingress", "IPv4", None) in rules["cloudctl-probe"]
    assert Rule("egress", "IPv4", None, remote="0.0.0.0/0") in rules["cloudctl-probe"], (
        "a canary that a rule holds back shows nothing"
    )
    assert rules["isolated-public"] == set(zone_rules.rules("public", 3))


def test_without_checks_the_proof_ends_at_level_three_and_says_so(world: Protected) -> None:
    make_startable(world)
    point = world.back_up()
    proof = world.prove(point.id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L3")
    assert "no checks" in proof.details["L4"]
    assert world.point(point.id).level == "L3"
    assert_swept(world)


def test_an_application_that_says_something_else_fails_and_takes_the_level_back(world: Protected) -> None:
    inside = make_startable(world, HEALTHY)
    point = world.back_up()
    assert world.prove(point.id, "L4").state == "passed"
    inside.pages["/health"] = (503, '{"error": "no database"}')
    proof = world.prove(point.id, "L4")
    assert (proof.state, proof.reached) == ("failed", "L3")
    assert "/health" in proof.details["L4"]
    assert proof.details["running"]["checks"][0]["saw"] == '503 {"error": "no database"}'
    assert (world.point(point.id).level, world.point(point.id).state) == ("L3", "protected")
    assert_swept(world)


def test_a_server_that_never_answers_has_not_booted(world: Protected) -> None:
    inside = make_startable(world, HEALTHY)
    inside.present = set()
    point = world.back_up()
    proof = world.prove(point.id, "L3")
    assert (proof.state, proof.reached) == ("failed", "L2")
    assert "budget-vm1" in proof.details["L3"]
    assert world.point(point.id).level == "L2"
    assert_swept(world)


@pytest.mark.parametrize("leak", ["198.51.100.10", "10.20.0.1"])
def test_isolation_that_leaks_makes_the_proof_inconclusive_and_raises_an_alarm(
    world: Protected, leak: str
) -> None:
    inside = make_startable(world, HEALTHY)
    inside.present.add(leak)
    proof = world.prove(world.back_up().id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L2")
    assert any(leak in one for one in proof.details["running"]["canary"]["answered"])
    with world.core.store.read() as uow:
        people = {row.user_id for row in uow.all(RoleGrant, RoleGrant.scope_id == CITY)}
        told = uow.all(Notice, Notice.subject_kind == "point_proof")
    assert people
    assert people <= {one.user_id for one in told}
    assert all(one.needs_action and leak in one.params["answered"] for one in told)
    assert_swept(world)


def test_a_router_on_the_isolated_network_is_seen_before_anything_answers(world: Protected) -> None:
    make_startable(world, HEALTHY)
    city = world.clouds[CITY]

    def join(call: object) -> None:
        for network_id, one in city.state.own_networks.items():
            if not one.seen.ways_out:
                inside: Any = city.in_project(one.project_id)
                inside.add_router(network_id, "somebodys")

    city.state.after = lambda call: join(call) if call.name == "ensure_isolated_network" else None
    proof = world.prove(world.back_up().id, "L4")
    assert proof.state == "inconclusive"
    assert proof.details["running"]["canary"]["ways_out"] == ["router somebodys"]


def test_a_cloud_that_has_no_room_says_nothing_about_the_point(world: Protected) -> None:
    make_startable(world, HEALTHY)
    error = CloudQuotaExceeded("no room", cloud_request_id="req-9")
    world.clouds[CITY].fail("create_server", nth=1, error=error, times=99)
    point = world.back_up()
    proof = world.prove(point.id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L2")
    assert "no room" in proof.details["L4"]
    assert world.point(point.id).level == "L2"
    assert_swept(world)


def test_a_server_that_ends_in_error_says_nothing_about_the_point(world: Protected) -> None:
    make_startable(world, HEALTHY)
    world.clouds[CITY].break_server("budget-vm1")
    proof = world.prove(world.back_up().id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L2")
    assert "No valid host" in proof.details["L4"]
    assert_swept(world)


def test_what_cannot_be_started_here_is_told_with_every_reason(world: Protected) -> None:
    make_startable(world, HEALTHY)
    world.clouds[CITY].remove_image("debian-12")
    proof = world.prove(world.back_up().id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L2")
    assert [one["code"] for one in proof.details["running"]["faults"]] == ["no_image"]
    assert last_proof(world).id == proof.id
    assert_swept(world)
