"""Waves are planned, checked against the ledger, begun, opened and finished."""

from typing import Any

import pytest

from cloudctl.actors import Role
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, NotAllowed, NotFound, Refused, WrongState
from cloudctl.models import AuditEvent, InformationSystem, ServiceRequest, Site, Wave, WaveSystem
from cloudctl.queries import requests as reads
from tenants import ledger, requests
from tenants.migration import course, wave_check, wave_requests, waves
from tests.builders import a_county_form, a_person, a_province, a_vm_form, an_actor
from tests.migrating import ASSETS, BUDGET, a_system, go

ENROLL = "nn-qingxiu-edu-enroll"
PROVINCE = "division:450000"


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def create(core: Core, user: str = "dave", **changes: Any) -> int:
    given = {
        "name": "第一批", "scope": PROVINCE, "starts_on": "2026-12-01", "ends_on": "2026-12-31", **changes,
    }  # fmt: skip
    return waves.create(core, an_actor(core, user), {k: v for k, v in given.items() if v is not None})


def put(core: Core, wave: int, system: str = BUDGET, **more: Any) -> None:
    form = a_county_form() if system == ENROLL else a_vm_form(system=system)
    waves.put(core, an_actor(core, "dave"), wave, system, **{"form": form, **more})


def check(core: Core, wave: int) -> wave_check.WaveCheck:
    return wave_check.check(core, an_actor(core, "dave"), wave)


def codes(found: wave_check.WaveCheck) -> set[tuple[str, str]]:
    return {(fault.place, fault.code) for fault in found.faults}


def a_running_wave(core: Core, *systems: str) -> int:
    made = create(core)
    for system in systems:
        put(core, made, system)
    waves.start(core, an_actor(core, "dave"), made)
    return made


def opened(core: Core, wave: int, user: str = "alice") -> dict[str, str]:
    found = wave_requests.open_requests(core, an_actor(core, user), wave)
    return {one.system: one.state for one in found}


def state(core: Core, wave: int) -> str:
    with core.store.read() as uow:
        return uow.need(Wave, wave).state


# -- planning


def test_a_wave_is_planned_with_all_its_faults_at_once(core: Core) -> None:
    with pytest.raises(BadInput) as error:
        create(core, name="", scope="division:9", starts_on="2026-13-01", ends_on=None, colour="red")
    assert {(one.place, one.code) for one in error.value.faults} == {
        ("name", "missing"), ("scope", "unknown_scope"), ("starts_on", "bad_date"), ("ends_on", "missing"),
        ("colour", "unknown_key"),
    }  # fmt: skip


def test_waves_have_names_of_their_own_and_come_after_waves_there_are(core: Core) -> None:
    first = create(core)
    for wrong in ({"after": [first]}, {"name": "第二批", "after": [99]}):
        with pytest.raises(BadInput):
            create(core, **wrong)
    second = create(core, name="第二批", starts_on="2027-01-01", ends_on="2027-01-31", after=[first])
    with core.store.read() as uow:
        rows = uow.all(Wave, order_by=[Wave.position])
    assert [(one.id, one.position, one.after) for one in rows] == [(first, 1, []), (second, 2, [first])]


@pytest.mark.parametrize(
    ("user", "scope", "may"),
    [("dave", PROVINCE, True), ("frank", "division:450103", True), ("frank", PROVINCE, False),
     ("carol", PROVINCE, True), ("heidi", "division:450103", True), ("heidi", PROVINCE, False),
     ("bob", "department:gx-finance", False), ("alice", PROVINCE, False)],
)  # fmt: skip
def test_who_plans_waves(core: Core, user: str, scope: str, may: bool) -> None:
    if may:
        create(core, user, scope=scope)
    else:
        with pytest.raises(NotAllowed):
            create(core, user, scope=scope)


def test_a_wave_is_changed_in_part_and_its_scope_stays(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    waves.edit(core, dave, made, {"ends_on": "2027-01-15", "is_pilot": True})
    with core.store.read() as uow:
        row = uow.need(Wave, made)
    assert (str(row.ends_on), row.is_pilot, row.name) == ("2027-01-15", True, "第一批")
    with pytest.raises(BadInput):
        waves.edit(core, dave, made, {"scope": "division:450100"})
    with pytest.raises(BadInput):
        waves.edit(core, dave, made, {"after": [made]})


def test_a_system_is_put_in_sized_later_and_taken_out(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    waves.put(core, dave, made, BUDGET)
    waves.put(core, dave, made, ASSETS, after=[BUDGET])
    assert ("systems[gx-finance-budget]", "not_sized") in codes(check(core, made))
    waves.put(core, dave, made, BUDGET, form={"flavor": "gov.small", "count": 2})
    assert ("systems[gx-finance-budget].image", "missing") in codes(check(core, made))
    put(core, made, BUDGET)
    put(core, made, ASSETS)
    assert check(core, made).is_clean
    waves.take_out(core, dave, made, ASSETS)
    with core.store.read() as uow:
        assert uow.column(WaveSystem.system_id) == [BUDGET]
    with pytest.raises(NotFound):
        waves.take_out(core, dave, made, ASSETS)


def test_what_is_wrong_in_a_sizing_form_is_said_at_once(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    form = {"kind": "release", "system": ASSETS, "flavor": "gov.midium", "colour": "red"}
    with pytest.raises(BadInput) as error:
        waves.put(core, dave, made, BUDGET, after=[BUDGET, "no-such"], form=form)
    found = {(one.place, one.code) for one in error.value.faults}
    assert {("after", "itself"), ("after", "unknown_system"), ("form.system", "contradiction"),
            ("form.kind", "not_for_a_wave"), ("form.colour", "unknown_key")} <= found  # fmt: skip


# -- the check


def test_a_wave_that_nothing_is_wrong_with_is_clean_and_says_what_it_needs(core: Core) -> None:
    made = create(core)
    put(core, made, BUDGET)
    put(core, made, ENROLL)
    found = check(core, made)
    assert found.is_clean
    shown = found.as_json()
    assert [(one["id"], one["site"], one["fits"]) for one in shown["systems"]] == [
        (BUDGET, "province", True), (ENROLL, "city-1", True),
    ]  # fmt: skip
    assert shown["needed"]["instances"] == 4


def test_only_who_plans_a_wave_sees_what_stands_against_its_systems(core: Core) -> None:
    made = create(core)
    put(core, made, BUDGET)
    for user in ("alice", "frank", "ivan"):
        with pytest.raises(NotAllowed):
            wave_check.check(core, an_actor(core, user), made)


def test_an_empty_wave_is_told(core: Core) -> None:
    assert codes(check(core, create(core))) == {("systems", "missing")}


def test_systems_that_cannot_move_are_named(core: Core) -> None:
    made = create(core)
    for system in (BUDGET, ASSETS, ENROLL):
        put(core, made, system)
    put(core, made, "gx-finance-secret")
    go(core, "try")
    course.advance(core, an_actor(core, "bob"), ASSETS, "retire", {}, "停用")
    found = codes(check(core, made))
    assert ("systems[gx-finance-budget]", "moved") in found
    assert ("systems[gx-finance-assets]", "stays") in found
    assert ("systems[gx-finance-secret]", "classified") in found
    assert ("systems[gx-finance-secret].system", "system_classified") in found


def test_a_system_is_in_one_open_wave_only(core: Core) -> None:
    first, second = create(core), create(core, name="第二批")
    put(core, first)
    put(core, second)
    assert ("systems[gx-finance-budget]", "other_wave") in codes(check(core, second))
    waves.cancel(core, an_actor(core, "dave"), first, "合并到第二批")
    assert check(core, second).is_clean


def test_a_system_outside_the_scope_is_named(core: Core) -> None:
    made = create(core, scope="division:450100")
    put(core, made, BUDGET)
    put(core, made, ENROLL)
    assert codes(check(core, made)) == {("systems[gx-finance-budget]", "outside")}


def test_the_sum_of_a_wave_must_fit_and_the_first_that_does_not_is_named(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    systems = [a_system(core, f"gx-finance-{number}") for number in range(4)]
    for system in systems:
        put(core, made, system)  # three machines each: each fits alone
    ledger.set_limit(core, dave, "department:gx-finance", "*", "instances", 7)
    found = check(core, made)
    assert not found.faults
    assert found.first_short == systems[2]
    assert [one.fits for one in found.systems] == [True, True, False, False]
    short = {
        (str(one.place.node), one.place.site, one.place.kind.value): one.short for one in found.shortages
    }
    assert short == {("department:gx-finance", "*", "instances"): 5}
    with pytest.raises(Refused) as error:
        waves.start(core, dave, made)
    assert [fault.code for fault in error.value.faults] == ["over_quota"]
    assert state(core, made) == "draft"


def test_the_room_of_each_cloud_counts_by_itself(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    put(core, made, BUDGET)
    put(core, made, ENROLL)
    ledger.set_limit(core, dave, "division:450000", "city-1", "instances", 0)
    found = check(core, made)
    assert found.first_short == ENROLL
    assert {one.place.site for one in found.shortages} == {"city-1"}


def test_a_site_that_has_no_room_on_its_hosts_is_named_although_the_quota_has(core: Core) -> None:
    made = create(core)
    put(core, made)
    assert check(core, made).unknown_sites == ("province",)
    with core.store.write() as uow:
        uow.need(Site, "province").capacity = {"vcpus": {"total": 100, "used": 99}}
    assert codes(check(core, made)) == {("sites[province]", "no_capacity")}


def test_what_was_asked_for_already_is_not_counted_twice(core: Core) -> None:
    made, dave = a_running_wave(core, BUDGET), an_actor(core, "dave")
    opened(core, made)
    ledger.set_limit(core, dave, "department:gx-finance", "*", "instances", 3)
    found = check(core, made)
    assert found.is_clean
    assert found.systems[0].fits is None


# -- beginning and ending


def test_a_wave_begins_when_nothing_is_in_the_way_and_those_before_are_done(core: Core) -> None:
    first, dave = create(core), an_actor(core, "dave")
    second = create(core, name="第二批", starts_on="2027-01-01", ends_on="2027-01-31", after=[first])
    put(core, second)
    with pytest.raises(Refused) as error:
        waves.start(core, dave, second)
    assert [fault.code for fault in error.value.faults] == ["not_done"]
    put(core, first, ASSETS)
    waves.start(core, dave, first)
    go(core, "try", ASSETS)
    waves.finish(core, dave, first)
    waves.start(core, dave, second)
    assert (state(core, first), state(core, second)) == ("done", "running")


def test_a_wave_ends_when_all_have_moved_and_names_those_that_have_not(core: Core) -> None:
    made, dave = a_running_wave(core, BUDGET, ASSETS), an_actor(core, "dave")
    go(core, "try")
    with pytest.raises(Refused) as error:
        waves.finish(core, dave, made)
    assert [fault.place for fault in error.value.faults] == ["systems[gx-finance-assets]"]
    course.advance(core, an_actor(core, "bob"), ASSETS, "retire", {}, "停用")
    waves.finish(core, dave, made)
    with pytest.raises(WrongState):
        waves.cancel(core, dave, made)
    with pytest.raises(Conflict):
        waves.edit(core, dave, made, {"is_pilot": True})


def test_every_step_of_a_wave_is_in_the_audit_chain(core: Core) -> None:
    made = a_running_wave(core, BUDGET)
    opened(core, made)
    with core.store.read() as uow:
        events = uow.all(AuditEvent, AuditEvent.subject_kind == "wave", order_by=[AuditEvent.seq])
    assert [one.action for one in events] == ["wave.create", "wave.put", "wave.start", "wave.open"]


# -- opening


def test_requests_are_sent_once_in_the_name_of_whoever_may_ask(core: Core) -> None:
    made = a_running_wave(core, BUDGET, ENROLL)
    assert opened(core, made) == {BUDGET: "submitted"}, "systems of others are not even named"
    assert opened(core, made, "dave") == {BUDGET: "already", ENROLL: "not_allowed"}
    assert opened(core, made, "erin") == {ENROLL: "submitted"}
    with core.store.read() as uow:
        sent = uow.all(ServiceRequest, order_by=[ServiceRequest.id])
        links = dict(uow.tuples((WaveSystem.system_id, WaveSystem.request_id)))
    assert [(one.requested_by, one.idempotency_key) for one in sent] == [
        ("alice", f"wave:{made}:{BUDGET}"), ("erin", f"wave:{made}:{ENROLL}"),
    ]  # fmt: skip
    assert links == {BUDGET: sent[0].id, ENROLL: sent[1].id}


def test_two_requesters_of_a_department_send_one_request(core: Core) -> None:
    a_person(core, "amy", Role.REQUESTER, ("department", "gx-finance"), "gx-finance")
    made = a_running_wave(core, BUDGET)
    assert opened(core, made) == {BUDGET: "submitted"}
    assert opened(core, made, "amy") == {BUDGET: "already"}
    with core.store.read() as uow:
        assert uow.count(ServiceRequest) == 1


def test_of_two_that_are_sent_in_the_same_moment_one_stays(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_person(core, "amy", Role.REQUESTER, ("department", "gx-finance"), "gx-finance")
    made = a_running_wave(core, BUDGET)
    submit = requests.submit

    def meanwhile(core: Core, actor: Any, form: Any, key: str = "") -> int:
        monkeypatch.setattr(requests, "submit", submit)
        opened(core, made, "amy")
        return submit(core, actor, form, key)

    monkeypatch.setattr(requests, "submit", meanwhile)
    assert opened(core, made) == {BUDGET: "already"}
    with core.store.read() as uow:
        states = {one.requested_by: one.state for one in uow.all(ServiceRequest)}
    assert states == {"amy": "awaiting_approval", "alice": "cancelled"}


def test_a_process_that_ended_between_sending_and_linking_sends_nothing_again(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = a_running_wave(core, BUDGET)
    with monkeypatch.context() as patch:
        patch.setattr(wave_requests, "_link", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            opened(core, made)
    assert opened(core, made) == {BUDGET: "already"}
    with core.store.read() as uow:
        assert uow.count(ServiceRequest) == 1
        assert uow.column(WaveSystem.request_id) == uow.column(ServiceRequest.id)


def test_a_request_that_was_in_vain_can_be_sent_again(core: Core) -> None:
    made, alice = a_running_wave(core, BUDGET), an_actor(core, "alice")
    opened(core, made)
    with core.store.read() as uow:
        [first] = uow.column(ServiceRequest.id)
    with pytest.raises(Conflict):
        put(core, made, BUDGET)
    requests.withdraw(core, alice, first)
    put(core, made, BUDGET, form=a_vm_form(count=1))
    assert opened(core, made) == {BUDGET: "submitted"}
    with core.store.read() as uow:
        assert uow.column(WaveSystem.request_id) != [first]
        assert reads.rows(uow, alice)[0]["name"] == "1 x gov.medium"


def test_a_system_that_waits_for_one_outside_is_not_opened_before_that_has_moved(core: Core) -> None:
    first, dave = create(core), an_actor(core, "dave")
    put(core, first, ASSETS)
    waves.start(core, dave, first)
    second = create(core, name="第二批", starts_on="2027-01-01", ends_on="2027-01-31")
    put(core, second, BUDGET, after=[ASSETS])
    with core.store.write() as uow:
        uow.update(Wave, Wave.id == second, state="running")
    assert opened(core, second) == {BUDGET: "waits"}
    go(core, "try", ASSETS)
    assert opened(core, second) == {BUDGET: "submitted"}


def test_systems_of_one_wave_are_opened_in_the_order_in_which_they_wait(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    put(core, made, BUDGET, after=[ASSETS])
    put(core, made, ASSETS)
    waves.start(core, dave, made)
    opened(core, made)
    with core.store.read() as uow:
        sent = uow.all(ServiceRequest, order_by=[ServiceRequest.id])
    assert [one.system_id for one in sent] == [ASSETS, BUDGET]


def test_what_is_refused_is_reported_and_the_others_go_on(core: Core) -> None:
    made, dave = a_running_wave(core, ASSETS, BUDGET), an_actor(core, "dave")
    ledger.set_limit(core, dave, "department:gx-finance", "*", "instances", 4)
    found = wave_requests.open_requests(core, an_actor(core, "alice"), made)
    assert [(one.system, one.state) for one in found] == [(ASSETS, "submitted"), (BUDGET, "refused")]
    assert "quota" in str(found[1].as_json()["message"])


def test_only_a_running_wave_is_opened(core: Core) -> None:
    made = create(core)
    put(core, made)
    with pytest.raises(Refused):
        opened(core, made)
    with core.store.read() as uow:
        assert uow.count(ServiceRequest) == 0
        assert uow.need(InformationSystem, BUDGET).stage == "registered"
