"""Checks of an application: kept with the member of a policy, changed on record, shown, and asked for."""

from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.errors import BadInput
from cloudctl.models import AuditEvent, PolicyMember
from dr import policies, standing
from tests.builders import a_province, an_actor
from tests.protecting import BUDGET, a_document, a_policy, a_vault, a_volume

HEALTH = {"kind": "http", "port": 80, "path": "/health", "status": 200}


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    a_vault(core)
    a_volume(core)


def with_checks(checks: Any, **member: Any) -> dict[str, Any]:
    return {"members": [{"system": BUDGET, "site": "province", "checks": checks, **member}]}


def kept(core: Core) -> list[Any]:
    with core.store.read() as uow:
        [member] = uow.all(PolicyMember)
        return member.checks


def test_checks_are_kept_and_shown_and_stay_where_a_document_says_nothing_of_them(core: Core) -> None:
    policy_id = a_policy(core, **with_checks([{"kind": "http", "path": "/health"}]))
    assert kept(core) == [HEALTH]
    [member] = standing.show_policy(core, an_actor(core, "dave"), str(policy_id))["members"]
    assert member["checks"] == [HEALTH]
    [row] = policies.apply(core, an_actor(core, "dave"), [a_document()])
    assert (row["state"], kept(core)) == ("same", [HEALTH])
    a_policy(core, **with_checks([]))
    assert kept(core) == []


def test_a_change_of_checks_is_a_change_of_the_policy_and_on_record(core: Core) -> None:
    a_policy(core, **with_checks([HEALTH]))
    document = a_document(**with_checks([{"kind": "postgresql"}]))
    [row] = policies.apply(core, an_actor(core, "dave"), [document], is_dry_run=True)
    assert row["state"] == "changed"
    assert kept(core) == [HEALTH]
    policies.apply(core, an_actor(core, "dave"), [document])
    with core.store.read() as uow:
        event = uow.all(AuditEvent, AuditEvent.action == "backup.policy.change")[-1]
    label = f"{BUDGET}@province"
    assert event.details["changes"]["checks"] == [
        {label: [HEALTH]},
        {label: [{"kind": "postgresql", "port": 5432}]},
    ]


def test_faults_of_checks_are_told_with_those_of_the_policy(core: Core) -> None:
    with pytest.raises(BadInput) as caught:
        a_policy(core, every="often", **with_checks([{"kind": "gopher"}]))
    assert {(one.place, one.code) for one in caught.value.faults} == {
        ("every", "bad_duration"),
        ("members[0].checks[0].kind", "unknown_word"),
    }


def test_a_single_volume_answers_nobody(core: Core) -> None:
    with pytest.raises(BadInput) as caught:
        a_policy(core, **with_checks([HEALTH], name=f"{BUDGET}-data", kind="volume"))
    assert ("members[0].checks", "contradiction") in {(one.place, one.code) for one in caught.value.faults}


def test_a_policy_that_demands_level_four_warns_of_members_without_checks(core: Core) -> None:
    changes = {"tier": "T3", "window": None, "every": "4h"}
    [row] = policies.apply(core, an_actor(core, "dave"), [a_document(**changes)], is_dry_run=True)
    assert "no_checks" in {one["code"] for one in row["warnings"]}
    document = a_document(**changes, **with_checks([HEALTH]))
    [row] = policies.apply(core, an_actor(core, "dave"), [document])
    assert "no_checks" not in {one["code"] for one in row["warnings"]}
    [row] = policies.apply(core, an_actor(core, "dave"), [a_document(**changes)])
    assert "no_checks" not in {one["code"] for one in row["warnings"]}
