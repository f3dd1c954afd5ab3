"""Policies: applied from documents, all faults at once, suspended and retired; the tiers behind them."""

from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound, WrongState
from cloudctl.models import AuditEvent, BackupPolicy, InformationSystem, PolicyMember, Vault
from dr import policies
from dr.forecast import forecast
from dr.levels import reaches
from dr.policy_form import duration_s, duration_text, read
from dr.retention import Retention
from dr.tiers import TIERS, SystemFacts, demanded, least
from tests.builders import a_province, an_actor
from tests.protecting import ASSETS, BUDGET, ENROLL, GIB, SECRET, a_document, a_policy, a_vault, a_volume


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    a_vault(core)
    a_volume(core)


def faults_of(core: Core, user: str = "dave", **changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        policies.apply(core, an_actor(core, user), [a_document(**changes)])
    return {(fault.place, fault.code) for fault in caught.value.faults}


# -- tiers


def test_rules_say_the_least_tier_of_a_system() -> None:
    assert least(SystemFacts()) == 0
    assert least(SystemFacts(has_key_data=True)) == 2
    assert least(SystemFacts(mlps_level=3)) == 2
    assert least(SystemFacts(is_key_application=True)) == 4
    assert least(SystemFacts(basic_library="population")) == 4, "the six basic libraries by rule"
    assert least(SystemFacts(is_key_application=True, is_classified=True)) == 0


def test_a_system_has_to_have_what_it_wants_and_never_less_than_the_rules() -> None:
    assert demanded(SystemFacts(dr_tier=3)) == 3
    assert demanded(SystemFacts(dr_tier=1, has_key_data=True)) == 2
    assert demanded(SystemFacts(dr_tier=4, is_classified=True)) == 0


def test_what_a_tier_says_is_no_fault_by_itself() -> None:
    for name in ("T1", "T2", "T3", "T4"):
        tier, (form, faults) = TIERS[name], read({"name": "x", "tier": name, "vaults": ["city-1"]})
        assert faults == [], name
        assert form is not None
        retention = Retention.read(tier.retention)
        assert tier.prove_every_s <= tier.lock_s <= retention.span_s(tier.every_s)
    assert not reaches(None, "L1")
    assert reaches("L3", "L2")


# -- applying


def test_a_policy_takes_from_its_tier_what_it_does_not_say(core: Core) -> None:
    policy_id = a_policy(core)
    with core.store.read() as uow:
        row = uow.need(BackupPolicy, policy_id)
        [member] = uow.all(PolicyMember)
    assert (row.tier, row.every_s, row.level, row.vault_sites, row.state) == (
        "T2", 86_400, "L2", ["city-1"], "active",
    )  # fmt: skip
    assert (member.system_id, member.site_id, member.kind) == (BUDGET, "province", "system")
    assert member.next_at >= core.clock.now()


def test_applying_the_same_again_changes_nothing(core: Core) -> None:
    a_policy(core)
    with core.store.read() as uow:
        events = uow.count(AuditEvent)
    [row] = policies.apply(core, an_actor(core, "dave"), [a_document()])
    assert row["state"] == "same"
    with core.store.read() as uow:
        assert uow.count(AuditEvent) == events


def test_a_dry_run_tells_what_would_change_and_writes_nothing(core: Core) -> None:
    a_policy(core)
    [row] = policies.apply(core, an_actor(core, "dave"), [a_document(every="12h")], is_dry_run=True)
    assert (row["state"], row["changes"]) == ("changed", {"every_s": [86_400, 43_200]})
    with core.store.read() as uow:
        assert [one.every_s for one in uow.all(BackupPolicy)] == [86_400]


def test_a_change_is_on_record_with_what_was_before(core: Core) -> None:
    a_policy(core)
    a_policy(core, every="12h", members=[{"system": ASSETS, "site": "province"}])
    with core.store.read() as uow:
        event = uow.all(AuditEvent, AuditEvent.action == "backup.policy.change")[-1]
        changes = event.details["changes"]
        left = {row.system_id: row.left_at is not None for row in uow.all(PolicyMember)}
    assert changes["every_s"] == [86_400, 43_200]
    assert changes["members"] == [[f"{BUDGET}@province"], [f"{ASSETS}@province"]]
    assert left == {BUDGET: True, ASSETS: False}, "whoever leaves keeps the points it has"


def test_who_left_may_come_back(core: Core) -> None:
    a_policy(core)
    a_policy(core, members=[])
    a_policy(core)
    with core.store.read() as uow:
        [member] = uow.all(PolicyMember)
    assert member.left_at is None


def test_all_faults_of_a_form_are_told_at_once(core: Core) -> None:
    assert faults_of(
        core, tier="T9", every="often", full_every=0, window={"from": "25:00", "until": "06:00"}, colour=1,
        retention={"daily": -1, "hourly": 3}, vaults=[], level="L7", line_mbit="fast",
        members=[{"system": BUDGET}, "x", {"system": BUDGET, "site": "province", "kind": "share"}],
    ) == {
        ("tier", "unknown_word"), ("every", "bad_duration"), ("full_every", "out_of_range"),
        ("window", "bad_window"), ("colour", "unknown_key"), ("retention.daily", "out_of_range"),
        ("retention.hourly", "unknown_key"), ("retention", "keeps_nothing"), ("vaults", "missing"),
        ("level", "unknown_word"), ("line_mbit", "out_of_range"), ("members[0].site", "missing"),
        ("members[1]", "bad_shape"), ("members[2].kind", "unknown_word"),
    }  # fmt: skip


def test_what_is_needed_and_missing_is_named(core: Core) -> None:
    assert faults_of(core, name=None, tier=None, vaults=None) == {
        ("name", "missing"), ("tier", "missing"), ("vaults", "missing"),
    }  # fmt: skip


def test_all_that_the_rules_say_against_it_is_told_at_once(core: Core) -> None:
    assert faults_of(
        core, every="5h", lock="1d", level="L1", prove_every="30d", vaults=["province", "city-1", "mars"],
        members=[
            {"system": SECRET, "site": "province"}, {"system": "nobody", "site": "province"},
            {"system": BUDGET, "site": "mars"}, {"system": ASSETS, "site": "province", "name": "none"},
        ],
    ) == {
        ("every", "irregular"), ("lock", "lock_too_short"), ("level", "level_too_low"),
        ("prove_every", "proved_too_rarely"), ("vaults", "no_vault"), ("vaults", "unknown_site"),
        ("members[0].system", "system_classified"), ("members[1].system", "unknown_system"),
        ("members[2].site", "unknown_site"), ("members[3].name", "unknown_volume"),
    }  # fmt: skip


def test_an_offsite_tier_needs_a_vault_away_from_the_data(core: Core) -> None:
    a_vault(core, "province")
    assert faults_of(core, vaults=["province"]) == {("members[0].site", "not_offsite")}
    assert a_policy(core, tier="T1", vaults=["province"])


def test_a_lock_may_not_outlive_what_the_retention_keeps(core: Core) -> None:
    assert faults_of(core, retention={"daily": 8}, lock="30d") == {("lock", "lock_too_long")}


def test_a_vault_needs_room_for_the_forecast_and_a_fifth_more(core: Core) -> None:
    retention = Retention.read(TIERS["T2"].retention)
    needed = forecast(100 * GIB, retention, 86_400, 7).demanded_bytes
    with core.store.write() as uow:
        uow.update(Vault, Vault.site_id == "city-1", limit_bytes=needed + GIB, used_bytes=GIB + 1)
    assert faults_of(core) == {("vaults", "no_room")}
    with core.store.write() as uow:
        uow.update(Vault, Vault.site_id == "city-1", used_bytes=GIB)
    assert a_policy(core)


def test_what_was_promised_to_one_policy_is_not_promised_to_another(core: Core) -> None:
    a_volume(core, ASSETS)
    needed = forecast(100 * GIB, Retention.read(TIERS["T2"].retention), 86_400, 7).demanded_bytes
    with core.store.write() as uow:
        uow.update(Vault, Vault.site_id == "city-1", limit_bytes=needed * 3 // 2)
    second = a_document(name="另一策略", members=[{"system": ASSETS, "site": "province"}])
    with pytest.raises(BadInput) as caught:
        policies.apply(core, an_actor(core, "dave"), [a_document(), second])
    assert [fault.place for fault in caught.value.faults] == ["policies[1].vaults"]
    a_policy(core)
    with pytest.raises(BadInput):
        policies.apply(core, an_actor(core, "dave"), [second])


def test_two_sites_that_keep_each_others_copies_are_each_checked_for_room(core: Core) -> None:
    a_vault(core, "province", limit_bytes=GIB)
    a_volume(core, ENROLL, "city-1")
    back = a_document(name="市到省", vaults=["province"], members=[{"system": ENROLL, "site": "city-1"}])
    with pytest.raises(BadInput) as caught:
        policies.apply(core, an_actor(core, "dave"), [a_document(), back])
    assert [(fault.place, fault.params["site"]) for fault in caught.value.faults] == [
        ("policies[1].vaults", "province")
    ]


def test_a_member_is_backed_up_by_one_policy_alone(core: Core) -> None:
    a_policy(core)
    assert faults_of(core, name="另一策略") == {("members[0]", "taken")}


def test_what_is_right_and_should_be_known_is_told(core: Core) -> None:
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, is_key_application=True)
        uow.update(Vault, Vault.site_id == "city-1", lock_mode="none")
    members = [{"system": BUDGET, "site": "province"}, {"system": ASSETS, "site": "province"}]
    told = policies.apply(core, an_actor(core, "dave"), [a_document(members=members, line_mbit=10)])
    assert {one["code"] for one in told[0]["warnings"]} == {
        "no_lock", "tier_too_low", "no_volumes", "full_does_not_fit",
    }  # fmt: skip


def test_only_who_plans_at_the_site_and_gives_room_there_may_apply(core: Core) -> None:
    with pytest.raises(NotAllowed):
        policies.apply(core, an_actor(core, "carol"), [a_document()])  # the room is the city's
    with pytest.raises(NotAllowed):
        policies.apply(core, an_actor(core, "bob"), [a_document()])
    a_vault(core, "province")
    a_volume(core, ENROLL, "city-1")
    hub = a_document(name="市到省", vaults=["province"], members=[{"system": ENROLL, "site": "city-1"}])
    assert policies.apply(core, an_actor(core, "heidi"), [hub])[0]["state"] == "new"


def test_a_policy_is_suspended_resumed_and_retired_with_a_reason(core: Core) -> None:
    policy_id = a_policy(core)
    dave = an_actor(core, "dave")
    with pytest.raises(BadInput):
        policies.suspend(core, dave, "省本级关键数据", " ")
    policies.suspend(core, dave, "省本级关键数据", "机房检修")
    with pytest.raises(WrongState):
        policies.suspend(core, dave, str(policy_id), "again")
    policies.resume(core, dave, str(policy_id))
    policies.retire(core, dave, str(policy_id), "由新策略取代")
    assert faults_of(core) == {("name", "retired")}
    assert a_policy(core, name="新策略"), "its members may join another"
    with pytest.raises(NotFound):
        policies.suspend(core, dave, "没有", "x")
    with core.store.read() as uow:
        actions = [event.action for event in uow.all(AuditEvent) if "policy" in event.action]
    assert [one.rpartition(".")[2] for one in actions] == ["create", "suspend", "resume", "retire", "create"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("4h", 14_400),
        ("1d", 86_400),
        ("2w", 1_209_600),
        (60, 60),
        ("x", None),
        ("1y", None),
        (True, None),
    ],
)
def test_lengths_of_time_are_read(text: object, seconds: int | None) -> None:
    assert duration_s(text) == seconds
    if seconds:
        assert duration_s(duration_text(seconds)) == seconds
