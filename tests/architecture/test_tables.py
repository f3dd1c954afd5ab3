"""The tables that others rely on: states, errors, rights."""

from enum import StrEnum

import pytest

from cloudctl import errors
from cloudctl.actors import RIGHTS, Role
from cloudctl.lifecycle import (
    DRILL,
    FAILOVER,
    OPERATION,
    PLAN,
    POINT,
    REQUEST,
    SHIFT,
    TRAFFIC,
    DrillState,
    FailoverState,
    OperationState,
    PlanState,
    PointState,
    RequestState,
    ShiftState,
    TrafficState,
    Transition,
    move,
)

FIRST = {
    RequestState.AWAITING_APPROVAL,
    RequestState.BUILDING,
    OperationState.QUEUED,
    PointState.PLANNED,
    PlanState.DRAFT,
    DrillState.REQUESTED,
    FailoverState.REQUESTED,
    TrafficState.BALANCED,
    ShiftState.ASKED,
}
TABLES: list[tuple[tuple[Transition[StrEnum], ...], type[StrEnum]]] = [
    (REQUEST, RequestState),  # type: ignore[list-item]
    (OPERATION, OperationState),  # type: ignore[list-item]
    (POINT, PointState),  # type: ignore[list-item]
    (PLAN, PlanState),  # type: ignore[list-item]
    (DRILL, DrillState),  # type: ignore[list-item]
    (FAILOVER, FailoverState),  # type: ignore[list-item]
    (TRAFFIC, TrafficState),  # type: ignore[list-item]
    (SHIFT, ShiftState),  # type: ignore[list-item]
]


def leaves(family: type[errors.CloudctlError]) -> list[type[errors.CloudctlError]]:
    found = [family]
    for child in family.__subclasses__():
        found += leaves(child)
    return found


@pytest.mark.parametrize(("table", "states"), TABLES)
def test_every_state_can_be_reached_from_a_first_one(
    table: tuple[Transition[StrEnum], ...], states: type[StrEnum]
) -> None:
    reached = {state for state in states if state in FIRST}
    while True:
        more = reached | {row.target for row in table if row.source in reached}
        if more == reached:
            break
        reached = more
    assert reached == set(states)


@pytest.mark.parametrize(("table", "states"), TABLES)
def test_every_move_names_who_may_cause_it_and_leads_to_one_state(
    table: tuple[Transition[StrEnum], ...], states: type[StrEnum]
) -> None:
    assert all(row.who for row in table)
    keys = [(row.source, row.event) for row in table]
    assert len(keys) == len(set(keys))


def test_a_move_that_is_not_in_the_table_is_refused_with_what_is_possible() -> None:
    with pytest.raises(errors.WrongState) as refused:
        move(REQUEST, RequestState.DELIVERED, "approve")
    assert "'approve' is not possible in state 'delivered'" in str(refused.value)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [leaf.code for leaf in leaves(errors.CloudctlError)]
    assert len(codes) == len(set(codes))


def test_every_right_is_held_by_some_role_and_the_auditor_only_looks() -> None:
    assert all(RIGHTS.values())
    assert {
        right for right, roles in RIGHTS.items() if Role.AUDITOR in roles and not right.endswith(".see")
    } == set()


def test_who_keeps_users_has_no_say_in_the_business() -> None:
    rights = {right for right, roles in RIGHTS.items() if Role.SYSTEM_ADMIN in roles}
    assert rights == {"user.see", "user.change", "department.see"}
