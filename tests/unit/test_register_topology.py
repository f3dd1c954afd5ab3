"""The register is the master of systems: what the topology file still does with them, and what it leaves."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import yaml

from cloudctl.clock import FrozenClock, end_of_day, local_day
from cloudctl.core import Core
from cloudctl.errors import Refused, StalePlan
from cloudctl.models import FOREVER, InformationSystem, SystemVersion
from tenants.register.changing import set_fields
from tenants.register.fields import CLASSIFIED_NAME
from tenants.register.history import record_at
from tenants.topology import apply, load, plan
from tests.registering import versions
from tests.topology_files import PLAIN
from tests.topology_people import province_admin
from tests.topology_rows import BUDGET, brief, do, get


def file(change: Callable[[Any], None]) -> bytes:
    """The plain topology with something changed."""
    document = yaml.safe_load(PLAIN.read_text(encoding="utf-8"))
    change(document)
    return yaml.safe_dump(document, allow_unicode=True).encode()


def one(document: Any, section: str, code: str) -> Any:
    return next(entry for entry in document[section] if entry["code"] == code)


def claim(core: Core, code: str = BUDGET, **fields: object) -> None:
    """The register has the system from now on."""
    set_fields(core, province_admin(), code, fields or {"person": "张三"})


def test_systems_of_the_file_begin_their_history_with_it(core: Core) -> None:
    do(core)
    [first] = versions(core, BUDGET)
    assert (first.reason, first.division_code, first.level, first.valid_to) == (
        "topology", "450000", "province", FOREVER,
    )  # fmt: skip
    assert get(core, InformationSystem, BUDGET).origin == "topology"


def test_a_change_in_the_file_is_a_version_with_what_it_changed(core: Core, clock: FrozenClock) -> None:
    do(core)
    clock.advance(60)
    do(core, file(lambda document: one(document, "systems", BUDGET).update(name="预算一体化系统")))
    assert versions(core, BUDGET)[-1].changes == {"name": ["预算管理一体化系统", "预算一体化系统"]}


def test_what_the_file_retires_and_restores_says_so_everywhere(core: Core) -> None:
    code = "gx-court-mediate"
    do(core)
    without = file(lambda document: document["systems"].remove(one(document, "systems", code)))
    do(core, without, allow_destroy=True)
    row = get(core, InformationSystem, code)
    assert (row.life_state, row.stage, row.retired_at is None) == ("retired", "retired", False)
    assert versions(core, code)[-1].life_state == "retired"
    do(core)
    row = get(core, InformationSystem, code)
    assert (row.life_state, row.stage, row.retired_at) == ("in_use", "registered", None)
    assert [one.life_state for one in versions(core, code)] == ["in_use", "retired", "in_use"]


def test_a_system_of_the_register_is_neither_changed_nor_retired_by_the_file(core: Core) -> None:
    do(core)
    claim(core, name="预算一体化系统")
    renamed = file(lambda document: one(document, "systems", BUDGET).update(name="别的名字", mlps_level=2))
    assert brief(do(core, renamed)) == []
    without = file(lambda document: document["systems"].remove(one(document, "systems", BUDGET)))
    assert brief(plan.plan(core, load.read(without))) == []
    row = get(core, InformationSystem, BUDGET)
    assert (row.name, row.mlps_level, row.retired_at) == ("预算一体化系统", 3, None)


def test_a_system_that_the_register_made_is_not_made_again(core: Core) -> None:
    do(core)
    set_fields(core, province_admin(), "gx-finance-new", {"name": "新系统", "department": "gx-finance"})
    more = {"code": "gx-finance-new", "name": "别的", "department": "gx-finance"}
    assert brief(do(core, file(lambda document: document["systems"].append(more)))) == []
    assert get(core, InformationSystem, "gx-finance-new").name == "新系统"


def test_a_plan_is_stale_when_the_register_took_a_system_meanwhile(core: Core) -> None:
    do(core)
    renamed = file(lambda document: one(document, "systems", BUDGET).update(name="别的名字"))
    made = plan.plan(core, load.read(renamed))
    claim(core)
    with pytest.raises(StalePlan):
        apply.apply(core, province_admin(), made)


def test_a_department_with_systems_in_the_register_is_not_retired(core: Core) -> None:
    do(core)
    claim(core, "gx-court-mediate")

    def without_court(document: Any) -> None:
        document["departments"].remove(one(document, "departments", "gx-court"))
        document["systems"].remove(one(document, "systems", "gx-court-mediate"))
        document["quotas"] = [entry for entry in document["quotas"] if "gx-court" not in entry["scope"]]

    made = plan.plan(core, load.read(file(without_court)))
    assert ("retire", "department", "gx-court") in brief(made)
    with pytest.raises(Refused) as refused:
        apply.apply(core, province_admin(), made, allow_destroy=True)
    assert [fault.code for fault in refused.value.faults] == ["still_in_use"]


def test_a_department_that_moved_city_mid_year_is_counted_where_it_was(
    core: Core, clock: FrozenClock
) -> None:
    do(core)
    before = local_day(clock.now())
    claim(core, "nn-bigdata-exchange")
    clock.advance(30 * 86400)
    moved = file(lambda document: one(document, "departments", "nn-bigdata").update(division="450103"))
    do(core, moved)
    after = local_day(clock.now())

    def at(day: date) -> tuple[str, str]:
        moment = end_of_day(day)
        with core.store.read() as uow:
            [version] = uow.all(
                SystemVersion,
                SystemVersion.system_id == "nn-bigdata-exchange",
                SystemVersion.valid_from < moment,
                SystemVersion.valid_to >= moment,
            )
        return version.division_code, version.level

    assert (at(before), at(after - timedelta(days=1)), at(after)) == (
        ("450100", "city"), ("450100", "city"), ("450103", "county"),
    )  # fmt: skip
    assert versions(core, "nn-bigdata-exchange")[-1].reason == "topology"
    with core.store.read() as uow:
        then, now = (record_at(uow, "nn-bigdata-exchange", end_of_day(day)) for day in (before, after))
    assert then == now, "the record itself says nothing of where its department is"


def test_a_system_with_a_division_of_its_own_stays_where_it_is(core: Core) -> None:
    do(core)
    claim(core, "nn-bigdata-exchange", division="450100")
    do(core, file(lambda document: one(document, "departments", "nn-bigdata").update(division="450103")))
    assert versions(core, "nn-bigdata-exchange")[-1].division_code == "450100"


def test_a_classified_system_of_the_file_holds_no_content_in_its_row(core: Core) -> None:
    secret = {
        "code": "gx-finance-secret", "name": "某机密系统", "department": "gx-finance", "mlps_level": 4,
        "category": "机密", "key_data": True, "classified": True,
    }  # fmt: skip
    do(core, file(lambda document: document["systems"].append(secret)))
    row = get(core, InformationSystem, "gx-finance-secret")
    assert (row.name, row.mlps_level, row.category, row.has_key_data) == (CLASSIFIED_NAME, 2, None, False)
    assert brief(do(core, file(lambda document: document["systems"].append(secret)))) == []
