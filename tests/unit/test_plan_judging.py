"""What is judged of a plan, from values alone: is it possible, how its data stands, what a move takes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.lifecycle import PlanHealth, PlanState
from cloudctl.ports import Replica, ReplicaState, Room
from dr.plans.document import Document
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
        (
            a_known(
                taken_servers={"db": "other"}, servers=(a_server("vm-db", label="db"), a_server("vm-web"))
            ),
            "taken",
        ),
        (
            a_known(
                taken_servers={"vm-1": "other"}, servers=(a_server("vm-1", label="vm-db"), a_server("vm-web"))
            ),
            "taken",
        ),
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


def test_a_server_that_is_gone_is_missed_and_not_taken_for_one_of_the_same_name_before_its_restore() -> None:
    parts = [{"name": "new", "servers": ["vm-r2"]}, {"name": "old", "servers": ["vm-r1"]}]
    document = a_document(parts=parts, checks=None)
    [fault] = [
        one for one in validate(document, a_known(servers=(a_server("vm-r1"),))) if "servers" in one.place
    ]
    assert (fault.code, fault.place) == ("unknown_server", "parts[0].servers[0]")


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
