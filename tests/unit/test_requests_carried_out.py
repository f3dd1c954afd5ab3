"""Volumes, projects and releases, and what follows from the end of the work."""

from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    NotAllowed,
)
from cloudctl.models import (
    InformationSystem,
    Operation,
    QuotaRow,
    Resource,
)
from tenants import ledger, requests, settlement
from tests.asking import approve_all, notices, release, show, submit
from tests.builders import (
    a_project,
    a_province,
    a_resource,
    an_actor,
)


@pytest.fixture
def province(core: Core) -> Core:
    a_province(core)
    return core


# -- volumes, projects, releases


def test_a_volume_for_a_server_goes_where_the_server_is(province: Core) -> None:
    server = a_resource(province, a_project(province), {"instances": 1})
    form = {
        "kind": "volume",
        "volumes": ["100GiB"],
        "attach_to": server,
        "approval_number": "1",
        "payer": "p",
    }
    number = requests.submit(province, an_actor(province, "alice"), form)
    told = show(province, number)
    assert (told["project"], told["needed"]) == (
        "gx-finance-budget/prod@province",
        {"volumes": 1, "volume_gib": 100},
    )
    with pytest.raises(BadInput) as refused:
        requests.submit(province, an_actor(province, "alice"), {**form, "system": "gx-finance-assets"})
    assert [fault.code for fault in refused.value.faults] == ["contradiction"]


def test_a_project_alone_holds_nothing(province: Core) -> None:
    form = {"kind": "project", "system": "gx-finance-assets", "approval_number": "1", "payer": "p"}
    told = show(province, requests.submit(province, an_actor(province, "alice"), form))
    assert (told["needed"], told["holds"], told["project"]) == ({}, [], "gx-finance-assets/prod@province")


def test_a_release_holds_nothing_and_is_approved_too(province: Core) -> None:
    server = a_resource(province, a_project(province), {"instances": 1})
    number = requests.submit(
        province, an_actor(province, "alice"), {"kind": "release", "resources": [server]}
    )
    approve_all(province, number)
    told = show(province, number)
    assert (told["state"], told["holds"], told["draft"]) == (
        "building",
        [],
        {"resources": [server], "with_volumes": False},
    )
    with province.store.read() as uow:
        assert uow.need(Operation, told["operation_id"]).kind == "release"


def test_a_retired_system_may_still_give_back(province: Core) -> None:
    server = a_resource(province, a_project(province), {"instances": 1})
    with province.store.write() as uow:
        uow.need(InformationSystem, "gx-finance-budget").retired_at = province.clock.now()
    assert release(province, server)


def test_every_reason_why_a_resource_cannot_be_released_is_named(province: Core) -> None:
    key = a_project(province)
    kinds: dict[str, dict[str, Any]] = {
        "free": {},
        "taken": {},
        "boot": {"kind": "volume", "spec": {"role": "boot"}},
        "port": {"kind": "port"},
        "gone": {"state": "released"},
    }
    ids = {name: a_resource(province, key, {}, **columns) for name, columns in kinds.items()}
    alice = an_actor(province, "alice")
    requests.submit(province, alice, {"kind": "release", "resources": [ids["taken"]]})
    with pytest.raises(BadInput) as refused:
        requests.submit(province, alice, {"kind": "release", "resources": [*ids.values(), "nothing"]})
    assert [(fault.place, fault.code) for fault in refused.value.faults] == [
        ("resources[1]", "already_asked"),
        ("resources[2]", "goes_with_server"),
        ("resources[3]", "goes_with_server"),
        ("resources[4]", "not_releasable"),
        ("resources[5]", "unknown_name"),
    ]


def test_nobody_releases_what_belongs_to_others(province: Core) -> None:
    theirs = a_resource(province, a_project(province, "nn-qingxiu-edu-enroll", "city-1"), {})
    mine = a_resource(province, a_project(province), {})
    alice = an_actor(province, "alice")
    with pytest.raises(NotAllowed):
        requests.submit(province, alice, {"kind": "release", "resources": [theirs]})
    with pytest.raises(BadInput) as refused:
        requests.submit(province, alice, {"kind": "release", "resources": [mine, theirs]})
    assert "many_projects" in [fault.code for fault in refused.value.faults]


def test_two_projects_are_not_given_back_in_one_request(province: Core) -> None:
    one = a_resource(province, a_project(province), {})
    other = a_resource(province, a_project(province, "gx-finance-assets"), {})
    with pytest.raises(BadInput) as refused:
        requests.submit(province, an_actor(province, "alice"), {"kind": "release", "resources": [one, other]})
    assert [fault.code for fault in refused.value.faults] == ["many_projects"]


# -- what follows from the end of the work


def finish(core: Core, number: int, state: str, **columns: Any) -> None:
    with core.store.write() as uow:
        operation = uow.need(Operation, show(core, number)["operation_id"])
        operation.state = state
        for column, value in columns.items():
            setattr(operation, column, value)
        settlement.settle(core)(uow, operation)


def building(core: Core) -> int:
    number = submit(core, count=1, data_total=None, data_volumes_per_vm=None)
    approve_all(core, number)
    return number


def test_what_is_delivered_is_used_and_shown(province: Core) -> None:
    number = building(province)
    a_resource(province, a_project(province), show(province, number)["needed"], request_id=number)
    finish(province, number, "done", scratch={"delivered": {"login": "debian"}})
    told = show(province, number)
    assert (told["state"], told["delivered"]) == ("delivered", {"login": "debian"})
    assert {hold["state"] for hold in told["holds"]} == {"converted"}
    assert notices(province, "alice")[-1] == "request 1 (1 x gov.medium) is delivered"
    assert ledger.drift(province) == []


def test_a_failure_frees_what_was_held_and_says_why_to_both_sides(province: Core) -> None:
    number = building(province)
    finish(
        province,
        number,
        "failed",
        error_code="build_failed",
        error_message="no host",
        cloud_request_id="req-1",
    )
    told = show(province, number)
    assert [told[key] for key in ("state", "error_code", "error_message", "cloud_request_id")] == [
        "failed", "build_failed", "no host", "req-1"
    ]  # fmt: skip
    assert {hold["state"] for hold in told["holds"]} == {"freed"}
    assert notices(province, "alice")[-1] == "request 1 (1 x gov.medium) could not be carried out: no host"
    assert notices(province, "carol")[-1] == "request 1 failed at the cloud province: no host"


def test_what_a_failure_left_behind_counts_as_used(province: Core) -> None:
    number = building(province)
    a_resource(province, a_project(province), {"instances": 1}, request_id=number, state="error")
    finish(province, number, "failed", error_code="timed_out")
    with province.store.read() as uow:
        leaf = (QuotaRow.scope_kind == "project", QuotaRow.site == "*", QuotaRow.kind == "instances")
        assert [(row.held, row.used) for row in uow.all(QuotaRow, *leaf)] == [(0, 1)]
    assert ledger.drift(province) == []


@pytest.mark.parametrize(("ended", "state"), [("failed", "cancelled"), ("done", "delivered")])
def test_a_cancelled_build_ends_as_it_was_found(province: Core, ended: str, state: str) -> None:
    number = building(province)
    requests.cancel(province, an_actor(province, "alice"), number)
    finish(province, number, ended, error_code="cancelled" if ended == "failed" else None)
    assert show(province, number)["state"] == state
    assert ledger.drift(province) == []


def test_settling_twice_changes_nothing(province: Core) -> None:
    number = building(province)
    a_resource(province, a_project(province), {"instances": 1}, request_id=number)
    finish(province, number, "done")
    told = show(province, number)
    finish(province, number, "failed", error_code="timed_out")
    assert show(province, number) == told
    assert ledger.drift(province) == []


def test_an_operation_that_is_no_request_is_none_of_our_business(province: Core) -> None:
    with province.store.write() as uow:
        operation = Operation(kind="check", subject_kind="site", subject_id="province", state="done",
                              next_at=province.clock.now(), created_at=province.clock.now())  # fmt: skip
        settlement.settle(province)(uow, uow.add(operation))


def test_a_release_gives_its_amounts_back_once(province: Core) -> None:
    key = a_project(province)
    server = a_resource(province, key, {"instances": 1})
    with province.store.write() as uow:
        ledger.count_used(uow, key)
    number = requests.submit(
        province, an_actor(province, "alice"), {"kind": "release", "resources": [server]}
    )
    approve_all(province, number)
    with province.store.write() as uow:
        uow.update(Resource, Resource.id == server, state="released")
    finish(province, number, "done")
    assert show(province, number)["state"] == "delivered"
    with province.store.read() as uow:
        assert set(uow.column(QuotaRow.used)) == {0}
    assert ledger.drift(province) == []
