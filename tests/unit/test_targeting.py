"""Targets are set, applied from a file, decomposed, urged, reported and closed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound, WrongState
from cloudctl.models import AuditEvent, Facility, InformationSystem, Notice, Target, TargetNote
from tenants.migration import decomposing, target_notes, target_rows, targeting
from tenants.migration.measures import MEASURES
from tests.builders import a_province, an_actor
from tests.migrating import ASSETS, BUDGET, a_system, go, registered

PROVINCE, CITY, FINANCE = "division:450000", "division:450100", "department:gx-finance"
SOURCE = "鲁政办发〔2019〕8号"


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    registered(core)


def form(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "整体上云率", "scope": PROVINCE, "measure": "migration_rate", "value": "95",
        "due_on": "2026-12-31", "source": SOURCE, **changes,
    }  # fmt: skip
    return {key: value for key, value in given.items() if value is not None}


def create(core: Core, user: str = "dave", **changes: Any) -> int:
    return targeting.create(core, an_actor(core, user), form(**changes))


def shown(core: Core, target_id: int) -> dict[str, Any]:
    return target_rows.show_target(core, an_actor(core, "alice"), target_id)


def refused(core: Core, **changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as error:
        create(core, **changes)
    return {(fault.place, fault.code) for fault in error.value.faults}


def targets(core: Core) -> list[Target]:
    with core.store.read() as uow:
        return uow.all(Target, order_by=[Target.id])


# -- setting


def test_a_target_shows_how_it_stands(core: Core) -> None:
    go(core, "accept")
    row = shown(core, create(core))
    assert (row["numerator"], row["denominator"], row["rate"], row["target"]) == (1, 3, "33.33", "95.00")
    assert (row["state"], row["behind"], row["days_left"], row["lamp"]) == ("open", 2, 40, "yellow")


def test_all_that_is_wrong_is_said_at_once(core: Core) -> None:
    wrong = {
        "name": " ", "scope": "division:999999", "measure": "migraton_rate", "value": "94.996",
        "due_on": "2026-13-01", "source": "", "colour": "red",
    }  # fmt: skip
    assert refused(core, **wrong) == {
        ("name", "missing"), ("scope", "unknown_scope"), ("measure", "unknown_measure"),
        ("value", "bad_percentage"), ("due_on", "bad_date"), ("source", "missing"), ("colour", "unknown_key"),
    }  # fmt: skip
    assert targets(core) == []


@pytest.mark.parametrize("value", ["0", "100.5", "ninety", True, "95 😀", -1, 1e300])
def test_a_value_is_a_percentage(core: Core, value: object) -> None:
    assert refused(core, value=value) == {("value", "bad_percentage")}


@pytest.mark.parametrize("value", [95, 95.0, "95%", "９５％", "95.00"])
def test_a_value_is_read_however_it_is_written(core: Core, value: object) -> None:
    if value == 95.0 and isinstance(value, float):
        value = str(value)
    assert shown(core, create(core, value=value))["target"] == "95.00"


def test_a_scope_is_written_as_such(core: Core) -> None:
    assert refused(core, scope="everything") == {("scope", "bad_scope")}
    assert refused(core, scope=None) == {("scope", "missing")}


def test_the_same_target_is_not_set_twice(core: Core) -> None:
    create(core)
    assert refused(core, name="again") == {("scope", "exists")}


@pytest.mark.parametrize(
    ("user", "scope", "may"),
    [
        ("dave", PROVINCE, True),
        ("frank", "division:450103", True),
        ("frank", CITY, False),
        ("bob", FINANCE, False),
    ],
)
def test_targets_are_set_from_above(core: Core, user: str, scope: str, may: bool) -> None:
    if may:
        create(core, user, scope=scope)
    else:
        with pytest.raises(NotAllowed):
            create(core, user, scope=scope)
    assert len(targets(core)) == int(may)


# -- applied from a file


def test_a_list_is_applied_whole_and_again_changes_nothing(core: Core) -> None:
    dave = an_actor(core, "dave")
    wanted = [form(), form(scope=CITY, value="90")]
    assert [row["state"] for row in targeting.apply(core, dave, wanted)] == ["created", "created"]
    assert [row["state"] for row in targeting.apply(core, dave, wanted)] == ["unchanged", "unchanged"]
    wanted[1]["value"] = "92.5"
    assert [row["state"] for row in targeting.apply(core, dave, wanted)] == ["unchanged", "changed"]
    assert [one.value for one in targets(core)] == [9500, 9250]
    with core.store.read() as uow:
        last = uow.first(AuditEvent, AuditEvent.action == "target.change")
    assert last is not None
    assert last.details["changes"] == {"value": [9000, 9250]}


def test_one_fault_in_a_list_and_nothing_of_it_is_kept(core: Core) -> None:
    with pytest.raises(BadInput) as error:
        targeting.apply(core, an_actor(core, "dave"), [form(), form(scope=CITY, value="101")])
    assert [fault.place for fault in error.value.faults] == ["targets[1].value"]
    with pytest.raises(BadInput) as error:
        targeting.apply(core, an_actor(core, "dave"), [form(), form(name="again")])
    assert [fault.code for fault in error.value.faults] == ["twice"]
    with pytest.raises(NotAllowed):
        targeting.apply(core, an_actor(core, "frank"), [form(scope="division:450103"), form()])
    assert targets(core) == []


def test_an_applied_list_can_be_tried_first(core: Core) -> None:
    rows = targeting.apply(core, an_actor(core, "dave"), [form()], is_dry_run=True)
    assert [(row["state"], row["id"]) for row in rows] == [("created", None)]
    assert targets(core) == []


def test_the_examples_of_the_seeds_can_be_applied(core: Core) -> None:
    document = yaml.safe_load(Path("examples/targets.yaml").read_text(encoding="utf-8"))
    rows = targeting.apply(core, an_actor(core, "dave"), document["targets"])
    assert {row["state"] for row in rows} == {"created"}
    assert {row["measure"] for row in rows} == set(MEASURES)
    [first] = [one for one in targets(core) if one.measure == "migration_rate"]
    assert (first.value, str(first.due_on), SOURCE in first.source) == (9500, "2020-12-31", True)


# -- what is measured


def test_every_measure_counts_in_every_kind_of_scope(core: Core) -> None:
    with core.store.write() as uow:
        uow.update(
            InformationSystem, InformationSystem.id == BUDGET, ipv6_state="dual", has_key_data=True,
            is_key_application=True, dr_tier=4, details={"sso_state": "joined"},
        )  # fmt: skip
        for number, state in enumerate(("ended", "in_use", "planned")):
            uow.add(
                Facility(
                    id=f"net-{number}", name="专网", kind="private_network", department_id="gx-finance",
                    state=state, changed_at=core.clock.now(), changed_by="dave",
                )
            )  # fmt: skip
    expected = {
        "ipv6_rate": ("33.33", 3), "sso_rate": ("33.33", 3), "coverage": ("100.00", 2),
        "key_data_offsite_rate": ("0.00", 1), "key_application_active_rate": ("0.00", 1),
        "facilities_ended:private_network": ("33.33", 3), "facilities_ended:website": (None, 0),
        "migration_rate": ("0.00", 3),
    }  # fmt: skip
    for measure, (rate, denominator) in expected.items():
        row = shown(core, create(core, measure=measure))
        assert (row["rate"], row["denominator"]) == (rate, denominator), measure
    county = shown(core, create(core, measure="ipv6_rate", scope="division:450103"))
    assert (county["rate"], county["denominator"]) == ("0.00", 1)
    own = shown(core, create(core, measure="ipv6_rate", scope="own:450000"))
    assert (own["rate"], own["denominator"]) == ("50.00", 2)
    department = shown(core, create(core, measure="coverage", scope=FINANCE))
    assert (department["rate"], department["state"]) == ("100.00", "reached")


def test_a_copy_elsewhere_that_nobody_can_prove_yet_is_unknown(core: Core) -> None:
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, has_key_data=True, dr_tier=2)
    row = shown(core, create(core, measure="key_data_offsite_rate", value="100"))
    assert (row["state"], row["unknown"], row["is_reached"]) == ("unknown", 1, None)


def test_a_target_over_nothing_has_no_rate_and_no_lamp(core: Core) -> None:
    row = shown(core, create(core, measure="facilities_ended:machine_room"))
    assert (row["rate"], row["lamp"], row["state"], row["behind"]) == (None, None, "empty", None)


def test_a_target_past_its_day_is_overdue(core: Core, clock: FrozenClock) -> None:
    made = create(core)
    clock.advance(41 * 86_400)
    row = shown(core, made)
    assert (row["state"], row["is_overdue"], row["days_left"], row["lamp"]) == ("overdue", True, -1, "red")
    rows = target_rows.list_targets(core, an_actor(core, "ivan"), state="overdue")
    assert [row["id"] for row in rows] == [made]
    assert target_rows.list_targets(core, an_actor(core, "ivan"), state="reached") == []


# -- decomposed


def test_a_target_goes_evenly_to_the_divisions_below_and_the_own_level(core: Core) -> None:
    parent = create(core, measure="ipv6_rate")
    made = decomposing.decompose(core, an_actor(core, "dave"), parent, to="divisions").as_json()
    assert [part["scope"] for part in made["parts"]] == ["own:450000", CITY]
    assert (made["is_enough"], made["short"], made["not_covered"]) == (True, 0, 0)
    row = shown(core, parent)
    assert [part["parent"] for part in row["parts"]] == [parent, parent]
    assert row["check"]["is_enough"] is True


def test_a_target_goes_to_departments_that_have_anything_to_count(core: Core) -> None:
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id != "", ipv6_state="none")
    parent = create(core, measure="ipv6_rate")
    made = decomposing.decompose(core, an_actor(core, "dave"), parent, to="departments").as_json()
    assert {part["scope"] for part in made["parts"]} == {FINANCE, "department:nn-qingxiu-edu"}


def test_lower_parts_are_told_to_be_not_enough(core: Core) -> None:
    for number in range(17):
        a_system(core, f"gx-finance-{number}")
    parent = create(core, scope="own:450000")
    parts = [{"scope": FINANCE, "value": "90"}]
    tried = decomposing.decompose(core, an_actor(core, "dave"), parent, parts, is_dry_run=True).as_json()
    assert (tried["is_enough"], tried["short"], tried["rate_then"]) == (False, 1, "90.00")
    assert len(targets(core)) == 1, "a dry run writes nothing"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"scope": PROVINCE}, ("parts[0].scope", "outside")),
        ({"scope": CITY, "due_on": "2027-01-01"}, ("parts[0].due_on", "after_parent")),
        ({"scope": CITY, "measure": "ipv6_rate"}, ("parts[0].measure", "other_measure")),
        ({"scope": "division:1"}, ("parts[0].scope", "unknown_scope")),
        ({"scope": CITY, "colour": "red"}, ("parts[0].colour", "unknown_key")),
    ],
)
def test_what_cannot_be_a_part_is_refused_with_its_place(
    core: Core, part: dict[str, Any], code: tuple[str, str]
) -> None:
    parent = create(core)
    with pytest.raises(BadInput) as error:
        decomposing.decompose(core, an_actor(core, "dave"), parent, [part])
    assert [(fault.place, fault.code) for fault in error.value.faults] == [code]
    assert len(targets(core)) == 1


def test_a_part_beside_those_there_are_may_not_overlap_them(core: Core) -> None:
    parent, dave = create(core, measure="ipv6_rate"), an_actor(core, "dave")
    decomposing.decompose(core, dave, parent, [{"scope": CITY}])
    with pytest.raises(BadInput) as error:
        decomposing.decompose(core, dave, parent, [{"scope": "department:nn-qingxiu-edu"}])
    assert [(fault.place, fault.code) for fault in error.value.faults] == [("parts[0].scope", "overlap")]
    rest = decomposing.decompose(core, dave, parent, to="divisions").as_json()
    assert [part["scope"] for part in rest["parts"]] == ["own:450000"]


def test_nothing_named_is_nothing_decomposed(core: Core) -> None:
    parent, dave = create(core), an_actor(core, "dave")
    for parts, to in (((), None), ((), "villages")):
        with pytest.raises(BadInput):
            decomposing.decompose(core, dave, parent, parts, to)


def test_a_city_decomposes_its_own_target_and_not_the_provinces(core: Core) -> None:
    parent, own = create(core), create(core, measure="ipv6_rate", scope="division:450103")
    frank = an_actor(core, "frank")
    with pytest.raises(NotAllowed):
        decomposing.decompose(core, frank, parent, to="divisions")
    made = decomposing.decompose(core, frank, own, to="departments")
    assert [form.scope for _, form, _ in made.parts] == ["department:nn-qingxiu-edu"]


# -- urged, reported, closed


def test_an_urged_target_is_told_to_the_people_of_its_scope_with_the_figures_of_the_moment(
    core: Core,
) -> None:
    made = create(core, scope=FINANCE, value="100")
    assert target_notes.urge(core, an_actor(core, "dave"), made, "请加快") == ["bob"]
    go(core, "accept", ASSETS)
    with core.store.read() as uow:
        [told] = uow.all(Notice, Notice.user_id == "bob")
        [note] = uow.all(TargetNote)
    text = "戴伟 urges: 整体上云率 (100.00 % by 2026-12-31), now 0.00 %, 3 behind: 请加快"
    assert told.template.format(**told.params) == text
    assert (note.kind, note.by, note.figures["behind"]) == ("urged", "dave", 3)
    assert shown(core, made)["behind"] == 2


def test_a_report_answers_who_urged_and_settles_what_was_to_do(core: Core) -> None:
    made = create(core, scope=FINANCE)
    target_notes.urge(core, an_actor(core, "dave"), made, "请加快")
    assert target_notes.report(core, an_actor(core, "bob"), made, "已列入12月计划") == ["dave"]
    with core.store.read() as uow:
        [to_do] = uow.all(Notice, Notice.user_id == "bob")
    assert to_do.done_at is not None
    assert [note["state"] for note in shown(core, made)["notes"]] == ["reported", "urged"]
    assert shown(core, made)["notes"][0]["by_name"] == "王博"


@pytest.mark.parametrize(
    ("scope", "people"),
    [
        (PROVINCE, []),
        ("division:450103", ["frank"]),
        ("own:450000", ["bob"]),
        ("department:nn-qingxiu-edu", ["grace"]),
    ],
)
def test_the_people_of_a_scope_are_those_who_answer_for_it(core: Core, scope: str, people: list[str]) -> None:
    assert target_notes.urge(core, an_actor(core, "dave"), create(core, scope=scope), "x") == people


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_a_note_says_something_and_has_an_end(core: Core, text: str) -> None:
    made = create(core, scope=FINANCE)
    for say, user in ((target_notes.urge, "dave"), (target_notes.report, "bob")):
        with pytest.raises(BadInput):
            say(core, an_actor(core, user), made, text)


def test_who_may_urge_and_who_may_report(core: Core) -> None:
    made = create(core, scope=FINANCE)
    for user in ("bob", "alice", "frank"):
        with pytest.raises(NotAllowed):
            target_notes.urge(core, an_actor(core, user), made, "x")
    for user in ("alice", "grace", "ivan"):
        with pytest.raises(NotAllowed):
            target_notes.report(core, an_actor(core, user), made, "x")


def test_a_closed_target_is_over(core: Core) -> None:
    made, dave = create(core), an_actor(core, "dave")
    with pytest.raises(NotAllowed):
        targeting.close(core, an_actor(core, "frank"), made)
    targeting.close(core, dave, made, "已销号")
    assert shown(core, made)["state"] == "closed"
    assert target_rows.list_targets(core, dave) == []
    assert len(target_rows.list_targets(core, dave, with_closed=True)) == 1
    for act in (lambda: targeting.close(core, dave, made), lambda: target_notes.urge(core, dave, made, "x")):
        with pytest.raises(WrongState):
            act()
    with pytest.raises(NotFound):
        shown(core, 999)
    assert create(core) != made, "the same may be set anew"


def test_an_error_in_the_middle_leaves_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = create(core, measure="ipv6_rate")
    calls: list[object] = []

    def breaks(*args: object, **_: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise ZeroDivisionError

    monkeypatch.setattr(core.audit, "record", breaks)
    with pytest.raises(ZeroDivisionError):
        decomposing.decompose(core, an_actor(core, "dave"), parent, to="divisions")
    assert [one.id for one in targets(core)] == [parent]
