"""State tables as data, the one function that moves along them, and the outcomes of a step. Pure."""

from cloudctl.lifecycle.migration import MIGRATION, MigrationStage
from cloudctl.lifecycle.outcomes import Done, Failed, Later, Outcome
from cloudctl.lifecycle.points import POINT, PointState
from cloudctl.lifecycle.recovery import (
    DRILL,
    FAILOVER,
    PLAN,
    SHIFT,
    TRAFFIC,
    DrillState,
    FailoverState,
    PlanHealth,
    PlanState,
    ShiftState,
    TrafficState,
)
from cloudctl.lifecycle.requests import (
    OPERATION,
    REQUEST,
    HoldState,
    OperationState,
    RequestState,
    ResourceState,
)
from cloudctl.lifecycle.table import Transition, move

__all__ = [
    "DRILL",
    "FAILOVER",
    "MIGRATION",
    "OPERATION",
    "PLAN",
    "POINT",
    "REQUEST",
    "SHIFT",
    "TRAFFIC",
    "Done",
    "DrillState",
    "Failed",
    "FailoverState",
    "HoldState",
    "Later",
    "MigrationStage",
    "OperationState",
    "Outcome",
    "PlanHealth",
    "PlanState",
    "PointState",
    "RequestState",
    "ResourceState",
    "ShiftState",
    "TrafficState",
    "Transition",
    "move",
]
