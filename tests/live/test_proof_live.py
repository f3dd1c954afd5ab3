"""A point of a real guest is proved at the other site: started where nothing leads in or out, and asked."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cloudctl.models import PointProof, PolicyMember, RecoveryPoint
from cloudctl.ports import TAG_INSTALLATION, Port, Server, Volume
from dr import starting
from dr.proof_flow import Prove
from dr.proof_ground import DOMAIN
from tests.flows.building import a_vm_draft
from tests.live.protecting import CITY, GuardedWorld, a_guarded_world

pytestmark = [pytest.mark.guests, pytest.mark.timeout(1500)]

DRAFT: dict[str, Any] = {**a_vm_draft(1, (1,)), "flavor": "gov.micro", "boot_gib": 1}
CHECKS = [{"kind": "http", "port": 80, "path": "/health", "contains": '"notes"'}, {"kind": "tcp", "port": 22}]
_PAUSE = threading.Event()  # never set


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedWorld]:
    made = a_guarded_world(tmp_path_factory.mktemp("proof") / "home", level="L4")
    try:
        yield made
    finally:
        made.clean()
        made.core.store.close()


@pytest.fixture(scope="module")
def point(world: GuardedWorld) -> RecoveryPoint:
    """Of a server whose application has answered."""
    operation = world.work(world.request(DRAFT)[1])
    assert operation.state == "done", operation.error_message
    with world.core.store.write() as uow:
        [member] = uow.all(PolicyMember)
        member.checks = CHECKS
    _PAUSE.wait(30)  # the guest lays out its database on the data volume
    made = world.back_up()
    assert made.state == "protected", made.error_message
    return made


def prove(world: GuardedWorld, point: RecoveryPoint, level: str) -> PointProof:
    with world.core.store.write() as uow:
        row = uow.need(RecoveryPoint, point.id)
        proof = starting.begin_proof(uow, world.clock, row, level, CITY, "dave")
    flow = Prove(world.clouds, world.stores, world.keyring, world.core.settings)
    world.work(int(proof.operation_id or 0), {starting.PROOF: flow})
    with world.core.store.read() as uow:
        return uow.need(PointProof, proof.id)


def assert_swept(world: GuardedWorld) -> None:
    """Nothing that the proof made is left at the city, by tag and by project."""
    cloud, mine = world.clouds.at(CITY), world.core.settings.installation
    domain = cloud.find_domain(DOMAIN)
    assert domain is not None
    mark = f"{TAG_INSTALLATION}={mine}"
    assert [one for one in cloud.list_projects(domain.id) if mark in one.tags] == []
    things: list[Server | Volume | Port] = [
        *cloud.list_all_servers(),
        *cloud.list_all_volumes(),
        *cloud.list_all_ports(),
    ]
    assert [one for one in things if one.tags.get(TAG_INSTALLATION) == mine] == []
    assert [one for one in cloud.list_networks() if one.name.startswith("isolated-")] == []


def test_the_application_of_a_point_answers_at_the_other_site_cut_off_from_everything(
    world: GuardedWorld, point: RecoveryPoint
) -> None:
    proof = prove(world, point, "L4")
    assert proof.ended_at is not None
    print(f"L4 in {(proof.ended_at - proof.started_at).total_seconds():.0f} s: {proof.details['running']}")
    assert (proof.state, proof.reached) == ("passed", "L4"), proof.details
    assert world.point(point.id).level == "L4"
    canary = proof.details["running"]["canary"]
    assert canary["tried"]
    assert not canary["answered"]
    assert_swept(world)
