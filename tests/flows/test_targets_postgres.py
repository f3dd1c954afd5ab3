"""Stages, exemptions, waves and measures on PostgreSQL: the same numbers, and no race is lost."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.models import Exemption, InformationSystem, ServiceRequest, WaveSystem
from tenants import facilities
from tenants.migration import (
    course,
    exemptions,
    gate,
    target_rows,
    targeting,
    wave_check,
    wave_requests,
    waves,
)
from tenants.migration.exemption_days import end_due
from tenants.migration.measures import MEASURES
from tests.builders import a_person, a_province, a_vm_form, an_actor
from tests.conftest import make_core
from tests.migrating import ASSETS, BUDGET, DECISION, go, registered, stage

pytestmark = pytest.mark.postgres
A_TARGET = {
    "name": "目标", "scope": "division:450000", "value": "95", "due_on": "2026-12-31", "source": "8号",
}  # fmt: skip
A_NET = {"name": "专网", "kind": "private_network", "department": "gx-finance", "ends_on": "2026-11-01"}


@pytest.fixture
def core(postgres_url: str, home: Path) -> Iterator[Core]:
    made = make_core(home, postgres_url)
    a_province(made)
    registered(made)
    yield made
    made.store.close()


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Run all of them side by side; for each `done`, or the code of its error."""
    ended: list[str] = [""] * len(acts)
    start = threading.Barrier(len(acts))

    def run(index: int, act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
            ended[index] = "done"
        except CloudctlError as error:
            ended[index] = error.code

    threads = [threading.Thread(target=run, args=item) for item in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ended)


def test_every_measure_milestone_and_coverage_counts_as_on_sqlite(core: Core) -> None:
    dave = an_actor(core, "dave")
    go(core, "accept")
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == ASSETS, ipv6_state="only", dr_tier=2,
                   has_key_data=True, details={"sso_state": "joined"})  # fmt: skip
    facilities.put(core, dave, "net", {**A_NET, "systems": BUDGET})
    for measure in MEASURES:
        targeting.create(core, dave, {**A_TARGET, "measure": measure})
    rates = {row["measure"]: (row["rate"], row["unknown"]) for row in target_rows.list_targets(core, dave)}
    assert rates["migration_rate"] == ("33.33", 0)
    assert (rates["ipv6_rate"], rates["sso_rate"]) == (("33.33", 0), ("33.33", 0))
    assert (rates["coverage"], rates["key_data_offsite_rate"]) == (("100.00", 0), ("0.00", 1))
    [milestone] = facilities.milestones(core, dave, "450000")
    assert (milestone["at_start"], milestone["overdue"]) == (1, 1)
    assert facilities.coverage(core, dave)[0]["departments"] == {"taking_part": 2, "all": 2}
    assert facilities.costs(core, dave)["items"][0]["reasons"] == ["past_end", "systems_moved"]


def test_two_systems_merged_into_each_other_at_once_leave_one(core: Core) -> None:
    bob = an_actor(core, "bob")
    ended = at_once(
        lambda: course.advance(core, bob, BUDGET, "merge", {"merged_into": ASSETS}),
        lambda: course.advance(core, bob, ASSETS, "merge", {"merged_into": BUDGET}),
    )
    assert ended == ["bad_input", "done"]
    assert sorted((stage(core, BUDGET), stage(core, ASSETS))) == ["merged", "registered"]


def test_a_stage_that_two_people_reach_at_once_is_reached_once(core: Core) -> None:
    bob = an_actor(core, "bob")
    move = [lambda: course.advance(core, bob, BUDGET, "classify", DECISION)] * 2
    assert at_once(*move) == ["done", "wrong_state"]


def test_an_exemption_is_decided_once_and_ends_once(core: Core) -> None:
    asked = exemptions.ask(core, an_actor(core, "bob"), BUDGET, "第十二条", "9号", "2026-12-01", "专用硬件")
    dave, eve = an_actor(core, "dave"), a_person(core, "eve", Role.PROVINCE_ADMIN, INSTALLATION)
    ended = at_once(
        lambda: exemptions.approve(core, dave, asked), lambda: exemptions.reject(core, eve, asked, "不同意")
    )
    assert ended == ["done", "wrong_state"]
    with core.store.read() as uow:
        is_approved = uow.need(Exemption, asked).state == "approved"
    assert (stage(core) == "exempt") is is_approved
    core.clock.advance(30 * 86_400)  # type: ignore[attr-defined]
    assert at_once(lambda: end_due(core), lambda: end_due(core)) == ["done", "done"]
    assert stage(core) == ("classified" if is_approved else "registered")


def test_the_request_of_a_wave_is_sent_once_by_whoever_is_first(core: Core) -> None:
    dave, alice = an_actor(core, "dave"), an_actor(core, "alice")
    amy = a_person(core, "amy", Role.REQUESTER, ("department", "gx-finance"), "gx-finance")
    wave = waves.create(core, dave, {"name": "第一批", "scope": "division:450000",
                                     "starts_on": "2026-12-01", "ends_on": "2026-12-31"})  # fmt: skip
    waves.put(core, dave, wave, BUDGET, form=a_vm_form())
    assert wave_check.check(core, dave, wave).is_clean
    waves.start(core, dave, wave)
    at_once(
        lambda: wave_requests.open_requests(core, alice, wave),
        lambda: wave_requests.open_requests(core, amy, wave),
    )
    with core.store.read() as uow:
        living = uow.column(ServiceRequest.id, ServiceRequest.state == "awaiting_approval")
        assert living == uow.column(WaveSystem.request_id)


def test_a_certificate_is_checked_as_it_was_signed(core: Core) -> None:
    made = gate.certify(core, an_actor(core, "bob"), BUDGET)
    assert gate.verify_code(core, made["code"]) == made
