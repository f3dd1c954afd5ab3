"""Private networks, web sites, rooms, exits and clouds: registered, ended, counted; what still costs."""

from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, NotAllowed, NotFound, WrongState
from cloudctl.models import AuditEvent, Facility
from cloudctl.queries import facilities as reads
from tenants import facilities
from tenants.facility_form import KINDS, still_costs
from tenants.migration import course
from tests.builders import a_province, an_actor
from tests.migrating import ASSETS, BUDGET, go, today

NET, SITE = "gx-finance-net", "gx-finance-web"
A_NET = {
    "name": "财政业务专网", "kind": "private_network", "department": "gx-finance", "ends_on": "2026-12-31",
    "yearly_cost_yuan": 1_200_000,
}  # fmt: skip
A_SITE = {
    "name": "财政厅门户网站", "kind": "website", "department": "gx-finance", "domain": "czt.gxzf.gov.cn",
    "ends_on": "2026-12-31",
}  # fmt: skip
AN_END = {"ended_on": "2026-11-20", "document": "桂财信〔2026〕40号"}


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def put(core: Core, code: str = NET, user: str = "bob", **changes: Any) -> str:
    given = {**(A_SITE if code == SITE else A_NET), **changes}
    return facilities.put(core, an_actor(core, user), code, given)


def end(core: Core, code: str = NET, user: str = "bob", **changes: Any) -> None:
    facilities.end(core, an_actor(core, user), code, {**AN_END, **changes})


def shown(core: Core, code: str = NET) -> dict[str, Any]:
    with core.store.read() as uow:
        return reads.show_facility(uow, an_actor(core, "dave"), code)


def refused(core: Core, code: str = NET, **changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as error:
        put(core, code, **changes)
    return {(fault.place, fault.code) for fault in error.value.faults}


# -- registering


def test_a_facility_is_registered_changed_and_again_changes_nothing(core: Core) -> None:
    assert put(core) == "created"
    assert put(core) == "unchanged"
    assert put(core, yearly_cost_yuan="1,300,000") == "changed"
    row = shown(core)
    assert (row["state"], row["yearly_cost_yuan"], row["division"]) == ("planned", 1_300_000, "450000")
    with core.store.read() as uow:
        events = uow.all(AuditEvent, AuditEvent.subject_id == NET, order_by=[AuditEvent.seq])
    assert [one.action for one in events] == ["facility.create", "facility.change"]
    assert events[1].details["changes"] == {"yearly_cost_yuan": [1_200_000, 1_300_000]}


def test_what_is_not_given_stays(core: Core) -> None:
    put(core)
    facilities.put(core, an_actor(core, "bob"), NET, {"document": "桂财信〔2026〕1号"})
    row = shown(core)
    assert (row["name"], row["document"]) == ("财政业务专网", "桂财信〔2026〕1号")


def test_all_that_is_wrong_is_said_at_once(core: Core) -> None:
    assert refused(core, "Bad Code", name=" ", kind="network", department="gx-none", ends_on="2026-02-30",
                   yearly_cost_yuan="-5", colour="red", domain="gov.cn/x") == {
        ("code", "bad_code"), ("name", "missing"), ("kind", "unknown_choice"),
        ("department", "unknown_department"), ("ends_on", "bad_date"), ("yearly_cost_yuan", "bad_amount"),
        ("colour", "unknown_key"), ("domain", "bad_domain"), ("ends_on", "no_end"),
    }  # fmt: skip


@pytest.mark.parametrize("cost", ["1.5", "一百万", True, 10**13, "1e6"])
def test_a_cost_is_whole_yuan(core: Core, cost: object) -> None:
    assert refused(core, yearly_cost_yuan=cost) == {("yearly_cost_yuan", "bad_amount")}


@pytest.mark.parametrize("cost", [0, "１２００", "3,000"])
def test_a_cost_is_read_however_it_is_written(core: Core, cost: object) -> None:
    put(core, yearly_cost_yuan=cost)


def test_a_facility_ends_or_has_a_document_on_whose_ground_it_stays(core: Core) -> None:
    assert refused(core, ends_on="") == {("ends_on", "no_end")}
    put(core, ends_on="", document="桂数函〔2026〕3号")
    assert shown(core)["state"] == "in_use"


def test_a_kind_may_be_said_in_chinese_and_stays_what_it_is(core: Core) -> None:
    put(core, kind="业务专网")
    assert shown(core)["kind"] == "private_network"
    assert refused(core, kind="machine_room") == {("kind", "fixed")}


def test_a_web_site_has_a_domain_and_nothing_else_has_one(core: Core) -> None:
    assert refused(core, SITE, domain="") == {("domain", "missing")}
    assert refused(core, domain="czt.gxzf.gov.cn") == {("domain", "not_for_this")}
    put(core, SITE, domain="财政厅.政务")
    assert shown(core, SITE)["domain"] == "财政厅.政务"


def test_systems_that_make_it_needless_are_in_the_register(core: Core) -> None:
    assert refused(core, systems=[BUDGET, "no-such"]) == {("systems", "unknown_system")}
    put(core, systems=f"{BUDGET}、{ASSETS}")
    assert shown(core)["systems"] == [BUDGET, ASSETS]


@pytest.mark.parametrize("user", ["alice", "carol", "ivan"])
def test_only_whoever_answers_for_the_department_registers(core: Core, user: str) -> None:
    with pytest.raises(NotAllowed):
        put(core, user=user)
    with pytest.raises(NotAllowed):
        put(core, "elsewhere", user="bob", department="nn-qingxiu-edu")


def test_a_list_is_applied_whole_or_not_at_all(core: Core) -> None:
    dave = an_actor(core, "dave")
    rows: list[dict[str, Any]] = [{"code": NET, **A_NET}, {"code": SITE, **A_SITE}]
    tried = facilities.apply(core, dave, rows, is_dry_run=True)
    assert [row["state"] for row in tried] == ["created", "created"]
    wrong = [*rows, {"code": NET, **A_NET}, {"code": "x", "kind": "website"}]
    with pytest.raises(BadInput) as error:
        facilities.apply(core, dave, wrong)
    assert {(fault.place, fault.code) for fault in error.value.faults} == {
        ("facilities[2].code", "twice"), ("facilities[3].name", "missing"),
        ("facilities[3].department", "missing"), ("facilities[3].domain", "missing"),
        ("facilities[3].ends_on", "no_end"),
    }  # fmt: skip
    with core.store.read() as uow:
        assert uow.count(Facility) == 0
    assert [row["state"] for row in facilities.apply(core, dave, rows)] == ["created", "created"]
    assert [row["state"] for row in facilities.apply(core, dave, rows)] == ["unchanged", "unchanged"]


# -- ending


def test_an_end_has_a_day_that_is_over_and_a_document(core: Core) -> None:
    put(core)
    for changes, code in (
        ({"ended_on": "2026-11-22"}, ("ended_on", "future_date")),
        ({"ended_on": ""}, ("ended_on", "missing")),
        ({"document": " "}, ("document", "missing")),
    ):
        with pytest.raises(BadInput) as error:
            end(core, **changes)
        assert [(fault.place, fault.code) for fault in error.value.faults] == [code]
    end(core)
    row = shown(core)
    assert (row["state"], str(row["ended_on"]), row["end_document"]) == (
        "ended", "2026-11-20", AN_END["document"],
    )  # fmt: skip
    with pytest.raises(WrongState):
        end(core)
    with pytest.raises(Conflict):
        put(core, name="改名")


def test_a_web_site_that_is_merged_keeps_its_domain_and_its_owner(core: Core) -> None:
    put(core, SITE)
    with pytest.raises(BadInput) as error:
        end(core, SITE, domain="www.gxzf.gov.cn", owner="nn-qingxiu-edu")
    assert {(fault.place, fault.code) for fault in error.value.faults} == {
        ("into", "missing"), ("domain", "domain_changed"), ("owner", "owner_changed"),
    }  # fmt: skip
    with pytest.raises(BadInput):
        end(core, SITE, into="gxzf-portal")  # nobody said under which domain it answers now
    end(core, SITE, into="gxzf-portal", domain="CZT.gxzf.gov.cn.", owner="gx-finance")
    assert shown(core, SITE)["into"] == "gxzf-portal"


def test_what_has_not_ended_after_all_is_reopened_with_a_reason(core: Core) -> None:
    put(core)
    bob = an_actor(core, "bob")
    with pytest.raises(WrongState):
        facilities.reopen(core, bob, NET, "x")
    end(core)
    with pytest.raises(BadInput):
        facilities.reopen(core, bob, NET, " ")
    facilities.reopen(core, bob, NET, "线路仍在用")
    row = shown(core)
    assert (row["state"], row["ended_on"], row["end_document"]) == ("planned", None, None)


def test_a_facility_of_others_is_not_there(core: Core) -> None:
    put(core)
    with core.store.read() as uow, pytest.raises(NotFound):
        reads.show_facility(uow, an_actor(core, "erin"), NET)
    with pytest.raises(NotFound):
        end(core, user="grace")
    with core.store.read() as uow:
        assert reads.list_facilities(uow, an_actor(core, "erin")) == []
        assert [row["id"] for row in reads.list_facilities(uow, an_actor(core, "alice"))] == [NET]
        assert reads.list_facilities(uow, an_actor(core, "dave"), kind="website") == []
        assert reads.list_facilities(uow, an_actor(core, "dave"), division="450100") == []


# -- counting


def test_milestones_count_what_there_was_what_is_left_and_what_is_overdue(
    core: Core, clock: FrozenClock
) -> None:
    put(core)
    put(core, "net-2", ends_on="2026-11-30", yearly_cost_yuan=50)
    put(core, "net-3", ends_on="", document="x", yearly_cost_yuan=None)
    put(core, "net-4", "dave", department="nn-qingxiu-edu", yearly_cost_yuan=7)
    end(core)
    clock.advance(10 * 86_400)
    rows = {row["id"]: row for row in facilities.milestones(core, an_actor(core, "ivan"))}
    assert set(rows) == {f"{code}/private_network" for code in ("450000", "450100", "450103")}
    top = rows["450000/private_network"]
    assert [top[key] for key in ("at_start", "ended", "left", "planned", "overdue", "rate", "state")] == [
        4, 1, 3, 2, 1, "25.00", "overdue",
    ]  # fmt: skip
    assert (top["cost_left_yuan"], top["cost_saved_yuan"]) == (57, 1_200_000)
    assert rows["450100/private_network"]["left"] == 1
    only = facilities.milestones(core, an_actor(core, "ivan"), "450103")
    assert [row["division"] for row in only] == ["450103"]


def test_a_facility_is_overdue_from_the_day_after_its_last(core: Core) -> None:
    put(core, ends_on=today(core).isoformat())
    put(core, "net-2", ends_on=today(core, -1).isoformat())
    [row] = facilities.milestones(core, an_actor(core, "dave"))
    assert (row["at_start"], row["overdue"]) == (2, 1)


def test_coverage_counts_departments_with_a_system_by_level_and_kind(core: Core) -> None:
    rows = {row["id"]: row for row in facilities.coverage(core, an_actor(core, "dave"))}
    top = rows["450000"]
    assert top["departments"] == {"taking_part": 2, "all": 2}
    assert top["by_level"]["county"] == {"taking_part": 1, "all": 1}
    assert top["by_level"]["city"] == {"taking_part": 0, "all": 0}
    assert list(top["by_kind"]) == ["党委", "人大", "政府", "政协", "法院", "检察院"]
    assert top["by_kind"]["政府"] == {"taking_part": 2, "all": 2}
    assert top["by_kind"]["法院"] == {"taking_part": 0, "all": 0}
    assert rows["450103"]["state"] == "whole"


def test_a_department_whose_only_system_has_ended_takes_no_part(core: Core) -> None:
    course.advance(core, an_actor(core, "grace"), "nn-qingxiu-edu-enroll", "retire", {}, "并入市级系统")
    rows = {row["id"]: row for row in facilities.coverage(core, an_actor(core, "dave"))}
    assert rows["450103"]["departments"] == {"taking_part": 0, "all": 1}
    assert (rows["450103"]["state"], rows["450000"]["state"]) == ("none", "partly")


def test_what_still_costs_money_is_what_is_past_its_end_or_needless(core: Core) -> None:
    put(core, ends_on=today(core, -5).isoformat(), yearly_cost_yuan=100)
    put(core, "net-2", systems=[BUDGET], yearly_cost_yuan=900)
    put(core, "net-3", systems=[BUDGET, ASSETS])
    put(core, "net-4", ends_on=today(core, -1).isoformat(), yearly_cost_yuan=None)
    put(core, "net-5")
    assert [row["id"] for row in facilities.costs(core, an_actor(core, "dave"))["items"]] == [NET, "net-4"]
    go(core, "accept")
    found = facilities.costs(core, an_actor(core, "dave"))
    assert [(row["id"], row["reasons"], row["days_over"]) for row in found["items"]] == [
        ("net-2", ["systems_moved"], None), (NET, ["past_end"], 5), ("net-4", ["past_end"], 1),
    ]  # fmt: skip
    assert (found["yearly_cost_yuan"], found["without_cost"]) == (1000, 1)
    assert facilities.costs(core, an_actor(core, "erin"))["items"] == []
    end(core)
    assert [row["id"] for row in facilities.costs(core, an_actor(core, "dave"))["items"]] == [
        "net-2",
        "net-4",
    ]


def test_a_facility_with_no_systems_is_not_needless_by_that(core: Core) -> None:
    assert still_costs("in_use", None, [], {"a"}, today(core)) == []
    assert still_costs("in_use", None, ["a", "b"], {"a"}, today(core)) == []
    assert still_costs("planned", today(core), ["a"], {"a"}, today(core)) == ["systems_moved"]
    assert still_costs("ended", today(core, -9), ["a"], {"a"}, today(core)) == []


def test_every_kind_can_be_registered(core: Core) -> None:
    for kind in KINDS:
        domain = {"domain": "x.gov.cn"} if kind == "website" else {}
        assert facilities.put(
            core, an_actor(core, "dave"), f"a-{kind}", {**A_NET, "kind": kind, **domain}
        ) == "created"  # fmt: skip
