"""What is judged of a plan, from values alone: is it possible, how its data stands, what a move takes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import WrongState
from cloudctl.lifecycle import PlanHealth, PlanState
from cloudctl.lifecycle.recovery import PLAN
from cloudctl.ports import Replica, ReplicaState, Room
from dr.plans import inventory
from dr.plans.document import Document
from dr.plans.forecast import Sample, forecast, sample_of
from dr.plans.health import Health, health
from dr.plans.known import (
    CloudFacts,
    Known,
    PointFacts,
    PolicyFacts,
    ServerFacts,
    SiteFacts,
    SystemFacts,
    VolumeFacts,
    WitnessFacts,
    mapping_to,
    needed,
)
from dr.plans.readiness import PlanFacts, assess
from dr.plans.standing import Stand, after_drill, after_edit, after_look, after_time, after_validation
from dr.plans.validate import validate
from tests.planning import HOME, RECOVERY, a_document
from tests.protecting import BUDGET

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
HOUR_S = 3600
MEDIUM = Amounts({Kind.VCPUS: 2, Kind.RAM_MIB: 4096})
POLICY = PolicyFacts("nightly", True, (RECOVERY,), 24 * HOUR_S, 600)
VERIFIED = PlanFacts(PlanState.VERIFIED, NOW)


def a_server(name: str, **changes: Any) -> ServerFacts:
    volume = VolumeFacts(f"{name}-disk", f"{name}-id", 20, "standard", Amounts({Kind.VOLUME_GIB: 20}))
    own = MEDIUM + Amounts({Kind.INSTANCES: 1})
    given = ServerFacts(name, "", "gov.medium", "public", "debian-12", ("10.20.0.7",), (volume,), own, True)
    return replace(given, **changes)


CLOUD = CloudFacts(
    flavors={"gov.medium": {"vcpus": 2, "ram_mib": 4096}},
    types=frozenset({"standard"}),
    networks={"zone-public": ("10.21.0.0/20", "fd00:2:1::/64")},
    images={"debian-12": "active"},
)
TARGET = SiteFacts(
    RECOVERY, zones={"public": "zone-public"}, sizes={"gov.medium": MEDIUM}, rooms={Kind.VCPUS: Room(8, 0)},
    capacity_at=NOW, cloud=CLOUD,
)  # fmt: skip
AGENTS = {HOME: ("vm-db", "vm-web")}
SOURCE = SiteFacts(HOME, zones={"public": "zone-public"}, cloud=CloudFacts())


def a_known(**changes: Any) -> Known:
    """Everything is in order: a point an hour old, room held, two sites that answer."""
    known = Known(
        at=NOW, source=HOME, target=RECOVERY, system=SystemFacts(BUDGET, "gx-finance", 3),
        sites={HOME: SOURCE, RECOVERY: TARGET}, servers=(a_server("vm-db"), a_server("vm-web")),
        policies=(POLICY,),
        points=(PointFacts("p1", NOW - timedelta(hours=1), "L1", (RECOVERY,), "nightly"),),
        project="x", witness=WitnessFacts("", 3, 3, HOME, 4, agents=AGENTS),
    )  # fmt: skip
    return replace(known, reserved=needed(a_document(), known), **changes)


def codes(document: Document, known: Known) -> set[str]:
    return {one.code for one in validate(document, known)}


def at_target(**changes: Any) -> Known:
    return a_known(sites={HOME: SOURCE, RECOVERY: replace(TARGET, cloud=replace(CLOUD, **changes))})


# -- possible at all


def test_nothing_is_wrong_with_a_plan_that_is_right() -> None:
    assert validate(a_document(), a_known()) == []


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (a_known(system=None), "unknown_system"),
        (a_known(system=SystemFacts(BUDGET, "x", 3, is_classified=True)), "system_classified"),
        (a_known(system=SystemFacts(BUDGET, "x", 3, is_retired=True)), "system_retired"),
        (a_known(sites={HOME: SOURCE}), "unknown_site"),
        (a_known(sites={HOME: SOURCE, RECOVERY: replace(TARGET, mode="observe")}), "observe_only"),
        (a_known(servers=(a_server("vm-db"),)), "unknown_server"),
        (a_known(servers=(a_server("vm-db", label="vm-web"),)), "twice"),
        (a_known(taken_servers={"vm-db": "other"}), "taken"),
        (a_known(taken_servers={"db": "other"}, servers=(a_server("vm-db", label="db"),)), "taken"),
        (a_known(policies=()), "no_policy"),
        (a_known(policies=(replace(POLICY, vaults=(HOME,)),)), "not_offsite"),
        (a_known(project=""), "no_project"),
        (at_target(flavors={}), "no_flavor"),
        (at_target(networks={}), "no_network"),
        (at_target(problem="no route"), "no_answer"),
        (a_known(sites={HOME: SOURCE, RECOVERY: replace(TARGET, zones={})}), "no_network"),
    ],
)
def test_what_makes_a_plan_impossible_is_named(known: Known, code: str) -> None:
    assert codes(a_document(), known) == {code}


def test_what_stands_for_something_has_to_be_there() -> None:
    mapping = {
        "types": {"standard": "fast"},
        "groups": {"public": "nowhere"},
        "networks": {"public": "nowhere"},
        "addresses": {"10.20.0.7": "10.99.0.7", "10.20.0.8": "10.21.0.8"},
    }
    known = at_target(taken=frozenset({"10.21.0.8"}))
    assert codes(a_document(mapping=mapping), known) == {
        "no_type", "no_group", "no_network", "no_subnet", "unknown_address", "address_taken",
    }  # fmt: skip


def test_a_server_without_data_is_made_from_an_image_that_is_there() -> None:
    parts = [{"name": "web", "servers": ["vm-db"], "way": "none"}]
    document = a_document(parts=parts, checks=None)
    assert codes(document, a_known(policies=())) == set()
    assert codes(document, at_target(images={"debian-12": "deactivated"})) == {"image_inactive"}
    assert codes(document, at_target(images={})) == {"no_image"}
    nobody_knows = a_known(servers=(a_server("vm-db", image=""),))
    assert codes(document, nobody_knows) == {"no_image"}


def test_nothing_lost_is_not_promised_over_two_sites() -> None:
    assert codes(a_document(rpo=0), a_known()) == {"rpo_not_zero"}


def test_what_the_storage_does_not_copy_is_named() -> None:
    document = a_document(parts=[{"name": "db", "servers": ["vm-db"], "way": "replication"}], checks=None)
    assert codes(document, a_known()) == {"not_replicated"}
    assert codes(document, a_known(replication_problem="no route")) == {"no_answer"}
    assert codes(document, a_known(replicas={"vm-db-id": a_replica()})) == set()


def a_replica(state: ReplicaState = ReplicaState.REPLICA, behind_s: float | None = 5.0) -> Replica:
    return Replica("vm-db-id", RECOVERY, state, behind_s=behind_s)


# -- the way back


def test_on_the_way_back_the_mapping_is_read_the_other_way_round() -> None:
    document = a_document(mapping={"flavors": {"gov.medium": "city.medium"}})
    assert mapping_to(document, RECOVERY) == {"flavors": {"gov.medium": "city.medium"}}
    assert mapping_to(document, HOME) == {"flavors": {"city.medium": "gov.medium"}}


def test_room_is_counted_with_the_size_that_servers_get_there() -> None:
    document = a_document(mapping={"flavors": {"gov.medium": "gov.large"}})
    large = Amounts({Kind.VCPUS: 4, Kind.RAM_MIB: 8192})
    known = a_known(sites={HOME: SOURCE, RECOVERY: replace(TARGET, sizes={"gov.large": large})})
    wanted = needed(document, known)
    assert (wanted[Kind.VCPUS], wanted[Kind.INSTANCES], wanted[Kind.VOLUME_GIB]) == (8, 2, 40)


def test_what_serves_at_both_sites_needs_no_more_room() -> None:
    document = a_document(parts=[{"name": "web", "servers": ["vm-db"], "serving": "stateless"}], checks=None)
    assert not needed(document, a_known())


def test_after_a_move_a_server_is_known_by_what_a_restore_made_of_it() -> None:
    known = a_known(servers=(a_server("gx-r1-vm1-r7-r12"), a_server("other", label="vm-web")))
    assert [one.name if one else None for one in map(known.server, ("gx-r1-vm1", "vm-web", "gx-r1"))] == [
        "gx-r1-vm1-r7-r12",
        "other",
        None,
    ]


# -- the data


def by_age(hours: float, **changes: Any) -> Health:
    point = PointFacts("p", NOW - timedelta(hours=hours), "L1", (RECOVERY,), "nightly")
    return health(a_document(rpo="25h"), a_known(points=(point,), **changes))


@pytest.mark.parametrize(
    ("hours", "state"),
    [
        (17.5, PlanHealth.PROTECTED),
        (17.6, PlanHealth.RPO_AT_RISK),
        (25.0, PlanHealth.RPO_AT_RISK),
        (25.1, PlanHealth.RPO_VIOLATED),
    ],
)
def test_more_than_seventy_per_cent_of_the_objective_is_a_risk(hours: float, state: PlanHealth) -> None:
    assert by_age(hours).state is state


def test_a_schedule_that_cannot_keep_the_objective_is_a_risk_at_any_moment() -> None:
    found = health(a_document(rpo="4h"), a_known())
    assert (found.state, found.why[0]["code"]) == (PlanHealth.RPO_AT_RISK, "worst_case")
    assert found.worst_s == 24 * HOUR_S + 600


def test_a_point_that_is_kept_where_the_data_is_does_not_count() -> None:
    point = PointFacts("p", NOW, "L4", (HOME,), "nightly")
    assert health(a_document(), a_known(points=(point,))).state is PlanHealth.SEEDING
    assert health(a_document(), a_known(policies=())).state is PlanHealth.UNPROTECTED


def test_a_suspended_policy_is_a_risk_before_the_points_are_old() -> None:
    found = by_age(1, policies=(replace(POLICY, is_active=False),))
    assert (found.state, found.why[0]["code"]) == (PlanHealth.RPO_AT_RISK, "policy_suspended")


@pytest.mark.parametrize(
    ("replica", "state"),
    [
        (a_replica(behind_s=5), PlanHealth.PROTECTED),
        (a_replica(behind_s=50), PlanHealth.RPO_AT_RISK),
        (a_replica(behind_s=61), PlanHealth.RPO_VIOLATED),
        (a_replica(behind_s=None), PlanHealth.RPO_AT_RISK),
        (a_replica(ReplicaState.SYNCING), PlanHealth.SEEDING),
        (a_replica(ReplicaState.SPLIT_BRAIN), PlanHealth.RPO_VIOLATED),
        (a_replica(ReplicaState.STOPPED), PlanHealth.RPO_VIOLATED),
        (a_replica(ReplicaState.ABSENT), PlanHealth.UNPROTECTED),
    ],
)
def test_a_copy_by_the_storage_is_judged_by_its_state_and_lag(replica: Replica, state: PlanHealth) -> None:
    parts = [{"name": "db", "servers": ["vm-db"], "way": "replication"}]
    document = a_document(rpo="60s", parts=parts, checks=None)
    assert health(document, a_known(replicas={"vm-db-id": replica})).state is state


def test_the_part_that_stands_worst_is_how_the_plan_stands() -> None:
    parts = [
        {"name": "db", "servers": ["vm-db"], "way": "application"},
        {"name": "web", "servers": ["vm-web"]},
    ]
    document = a_document(parts=parts, checks=None)
    found = health(document, a_known())
    assert (found.state, found.behind_s, [one["part"] for one in found.why]) == (
        PlanHealth.RPO_AT_RISK,
        None,
        ["db"],
    )
    found = health(document, a_known(application_lag_s={"db": 2.0}))
    assert (found.state, found.behind_s) == (PlanHealth.PROTECTED, HOUR_S)


# -- ready


def blocks(known: Known, plan: PlanFacts = VERIFIED) -> set[str]:
    found = assess(a_document(), plan, known, health(a_document(), known))
    assert found.is_ready == (not found.blocks)
    return {one.code for one in found.blocks}


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (a_known(points=()), "no_point"),
        (at_target(missing_rights=("compute:update_quota",)), "right_missing"),
        (a_known(reserved_by_others=Amounts({Kind.VCPUS: 5})), "no_capacity"),
        (a_known(witness=WitnessFacts("no majority", 3, 1)), "no_majority"),
        (a_known(witness=WitnessFacts("", 3, 3, RECOVERY)), "other_holder"),
    ],
)
def test_what_is_in_the_way_only_now_is_named(known: Known, code: str) -> None:
    assert blocks(known) == {code}


def test_room_that_other_systems_give_way_for_is_said_aloud() -> None:
    document = a_document(evicts=["low"])
    known = a_known(reserved_by_others=Amounts({Kind.VCPUS: 5}), gives_way=Amounts({Kind.VCPUS: 1}))
    known = replace(known, other_plans={"low": "x"})
    found = assess(document, VERIFIED, known, health(document, known))
    assert (found.is_ready, [one.code for one in found.notes]) == (True, ["others_give_way"])


def test_nothing_in_the_way_is_ready() -> None:
    assert blocks(a_known()) == set()
    assert blocks(replace(a_known(), reserved=Amounts())) == {"not_reserved"}
    assert blocks(a_known(), replace(VERIFIED, is_moving=True)) == {"moving"}
    assert blocks(a_known(), replace(VERIFIED, state=PlanState.SUSPENDED)) == {"suspended"}


def test_a_source_that_is_gone_stops_no_failover() -> None:
    away = replace(SOURCE, cloud=CloudFacts(problem="no route"))
    known = a_known(sites={HOME: away, RECOVERY: TARGET}, witness=WitnessFacts("", 3, 2, HOME, agents=AGENTS))
    found = assess(a_document(), VERIFIED, known, health(a_document(), known))
    assert (found.is_ready, {one.code for one in found.notes}) == (True, {"source_away", "degraded"})


# -- the state


def test_every_way_of_the_table_that_a_look_or_a_drill_goes_is_one_of_it() -> None:
    rows = {(row.source, row.target) for row in PLAN}
    for state in PlanState:
        now = Stand(state)
        after = [
            after_validation(now, faulty, undecided)
            for faulty in (True, False)
            for undecided in (True, False)
        ]
        after += [after_drill(now, True), after_drill(now, False), after_look(now, [{"what": "x"}])]
        after.append(after_time(now, NOW - timedelta(days=91), 90 * 86_400, NOW))
        for one in after:
            via = {PlanState.VALIDATING} if state is PlanState.DRAFT else set()
            assert (
                one.state is state
                or (state, one.state) in rows
                or (next(iter(via), state), one.state) in rows
            )


def test_an_edit_of_what_was_verified_is_remembered() -> None:
    after = after_edit(Stand(PlanState.VERIFIED), ["rpo"])
    assert after == Stand(PlanState.STALE, ({"reason": "edit", "what": ["rpo"]},))
    assert after_edit(Stand(PlanState.NEEDS_VERIFICATION), ["rpo"]).state is PlanState.DRAFT
    with pytest.raises(WrongState):
        after_edit(Stand(PlanState.RETIRED), ["rpo"])


# -- the inventory


def test_another_inventory_is_another_hash_and_says_what_changed() -> None:
    before = inventory.take(a_document(), a_known())
    grown = a_known(servers=(a_server("vm-db", addresses=("10.20.0.9",)), a_server("vm-web")))
    assert inventory.sha256_of(before) == inventory.sha256_of(inventory.take(a_document(), a_known()))
    changed = inventory.changes(before, inventory.take(a_document(), grown))
    assert [(one["what"], one["change"]) for one in changed] == [("server vm-db@province", "changed")]
    gone = at_target(networks={"zone-public": ("10.21.0.0/24",)})
    changed = inventory.changes(before, inventory.take(a_document(), gone))
    assert [one["what"] for one in changed] == ["network zone-public@city-1"]


def test_a_site_that_tells_nothing_has_not_changed() -> None:
    before = inventory.take(a_document(), a_known())
    assert inventory.changes(before, inventory.take(a_document(), at_target(problem="no route"))) == []


# -- the forecast


def test_the_time_hangs_on_the_longest_chain_of_what_was_measured() -> None:
    parts = [
        {"name": "db", "servers": ["vm-db"]},
        {"name": "cache", "servers": ["vm-web"]},
        {"name": "web", "servers": ["vm-3"], "needs": ["db", "cache"]},
    ]
    document = a_document(parts=parts, checks=None)
    samples = [Sample(100.0, {"db": 60.0 + n, "cache": 10.0, "web": 30.0}) for n in range(10)]
    found = forecast(document, a_known(), health(document, a_known()), samples)
    assert (found.time_s, found.time_p90_s, found.chain) == (194.0, 198.0, ("db", "web"))
    assert found.loss_s == HOUR_S
    assert found.not_measured == ("detect", "decide", "fence", "traffic")


def test_nothing_is_guessed_where_nothing_was_measured() -> None:
    found = forecast(a_document(), a_known(), health(a_document(), a_known()), [])
    assert (found.time_s, found.chain, found.not_measured[:3]) == (None, (), ("data", "db", "web"))
    partly = forecast(a_document(), a_known(), health(a_document(), a_known()), [Sample(9.0, {"db": 5.0})])
    assert (partly.time_s, partly.not_measured[0]) == (14.0, "web")


def test_a_sample_of_a_drill_has_the_parts_that_answered() -> None:
    seen = {
        "parts": {
            "db": {"begun_s": 40.0, "answered_s": 95.5},
            "web": {"begun_s": 96.0, "answered_s": None},
            "x": {"begun_s": None, "answered_s": None},
        }
    }
    assert sample_of(seen) == Sample(40.0, {"db": 55.5})
    assert sample_of({}) is None


@given(st.lists(st.floats(1, 1e4), min_size=1, max_size=20))
def test_a_forecast_never_lies_below_the_part_that_takes_longest(times: list[float]) -> None:
    samples = [Sample(0.0, {"db": one, "web": 1.0}) for one in times]
    found = forecast(a_document(), a_known(), health(a_document(), a_known()), samples)
    slowest = max(one.median_s or 0.0 for one in found.pieces)
    assert found.time_s is not None
    assert found.time_s >= round(slowest, 1)
    assert (found.time_p90_s or 0.0) >= found.time_s
