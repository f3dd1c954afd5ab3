"""Disaster recovery: plans, drills, failovers, and the people of a system."""

from enum import StrEnum

from cloudctl.lifecycle.table import Transition


class PlanState(StrEnum):
    """How far a ProtectionPlan can be relied on. Stored: never rename one without a migration."""

    DRAFT = "draft"  # has faults that keep it from being used
    VALIDATING = "validating"
    NEEDS_VERIFICATION = "needs_verification"  # complete; no drill of this very plan has passed
    VERIFIED = "verified"
    STALE = "stale"  # was verified: too long ago, or for a plan or an inventory that has changed since
    SUSPENDED = "suspended"
    RETIRED = "retired"


class PlanHealth(StrEnum):
    """Whether the data of a plan is at the other site, beside its state."""

    UNPROTECTED = "unprotected"
    SEEDING = "seeding"
    PROTECTED = "protected"
    RPO_AT_RISK = "rpo_at_risk"  # more than 70 % of the objective is used up
    RPO_VIOLATED = "rpo_violated"


class DrillState(StrEnum):
    """How far a Drill has come. Stored: never rename one without a migration."""

    REQUESTED = "requested"
    PRECHECK = "precheck"
    ISOLATED = "isolated"  # networks that lead nowhere are there
    CLONED = "cloned"  # the data is there, as copies
    STARTING = "starting"  # along the graph of the plan
    VALIDATING = "validating"
    HOLDING = "holding"  # kept for people to look at
    CLEANING = "cleaning"
    CLEANUP_INCOMPLETE = "cleanup_incomplete"  # something with the tag is still there; it is tried again
    DONE = "done"


class FailoverState(StrEnum):
    """How far the move of a protection group to another site has come. Stored: never rename one without a
    migration. What each step proves is in docs/model/failover.pml, checked in every order of events."""

    REQUESTED = "requested"
    APPROVED = "approved"  # by two people, for this very plan
    RESERVED = "reserved"  # room at the other site is held
    DRAINED = "drained"  # planned moves only: users are away from the old site
    SEIZED = "seized"  # the epoch is ours and closed: the old site can no longer renew its lease
    FENCED = "fenced"  # proof that the old site's writers stopped, or their lease is over
    SYNCED = "synced"  # planned moves only: what was written last has arrived
    PROMOTING = "promoting"  # the intent; no way back from here
    PROMOTED = "promoted"
    OPENED = "opened"  # the epoch is open: the agent here may take the lease
    STARTED = "started"
    VALIDATED = "validated"  # the application answered
    SHIFTED = "shifted"  # users are here
    COMMITTED = "committed"
    GIVING_BACK = "giving_back"
    ABORTED = "aborted"


class TrafficState(StrEnum):
    """What becomes of the people of a system."""

    BALANCED = "balanced"  # as its weights say, at rest
    SHIFTING = "shifting"
    HALTED = "halted"  # a shift stopped half-way; a person decides
    SINGLE_SITE = "single_site"


class ShiftState(StrEnum):
    """How far a Shift has come."""

    ASKED = "asked"
    RAMPING = "ramping"  # the name service is being told
    SOAKING = "soaking"  # watched before the next step
    HALTED = "halted"
    ROLLING_BACK = "rolling_back"
    DONE = "done"
    ROLLED_BACK = "rolled_back"


def _l(source: str, event: str, target: str, who: str = "system") -> Transition[PlanState]:
    return Transition(PlanState(source), event, PlanState(target), frozenset(who.split()))


_USABLE = ("needs_verification", "verified", "stale")

PLAN: tuple[Transition[PlanState], ...] = (
    _l("draft", "validate", "validating"),
    _l("validating", "fault", "draft"),
    _l("validating", "complete", "needs_verification"),
    *(_l(state, "edit", "draft", "admin") for state in ("draft", "needs_verification", "suspended")),
    *(_l(state, "edit", "stale", "admin") for state in ("verified", "stale")),
    _l("stale", "fault", "draft"),
    *(_l(state, "pass", "verified") for state in _USABLE),  # a drill of this very plan
    *(_l("verified", reason, "stale") for reason in ("age", "drift")),
    *(_l(state, "fail", "needs_verification") for state in ("verified", "stale")),  # such a drill
    *(_l(state, "suspend", "suspended", "admin") for state in _USABLE),
    _l("suspended", "resume", "needs_verification", "admin"),
    *(_l(state, "retire", "retired", "admin") for state in ("draft", *_USABLE, "suspended")),
)


def _d(source: str, event: str, target: str, who: str = "system") -> Transition[DrillState]:
    return Transition(DrillState(source), event, DrillState(target), frozenset(who.split()))


_DRILLING = ("precheck", "isolated", "cloned", "starting", "validating", "holding")

DRILL: tuple[Transition[DrillState], ...] = (
    _d("requested", "begin", "precheck"),
    _d("precheck", "isolate", "isolated"),
    _d("isolated", "clone", "cloned"),
    _d("cloned", "start", "starting"),
    _d("starting", "answer", "validating"),
    _d("validating", "hold", "holding"),
    *(_d(state, "clean", "cleaning", "system admin") for state in _DRILLING),  # whatever the verdict is
    _d("cleaning", "linger", "cleanup_incomplete"),
    _d("cleanup_incomplete", "clean", "cleaning"),
    _d("cleaning", "finish", "done"),
)


def _t(source: str, event: str, target: str, who: str = "system") -> Transition[TrafficState]:
    return Transition(TrafficState(source), event, TrafficState(target), frozenset(who.split()))


TRAFFIC: tuple[Transition[TrafficState], ...] = (
    *(_t(state, "shift", "shifting", "admin system") for state in ("balanced", "single_site", "halted")),
    _t("shifting", "halt", "halted"),
    _t("shifting", "balance", "balanced"),
    _t("shifting", "gather", "single_site"),
)


def _h(source: str, event: str, target: str, who: str = "system") -> Transition[ShiftState]:
    return Transition(ShiftState(source), event, ShiftState(target), frozenset(who.split()))


SHIFT: tuple[Transition[ShiftState], ...] = (
    _h("asked", "ramp", "ramping"),
    _h("ramping", "soak", "soaking"),
    _h("soaking", "ramp", "ramping"),
    _h("soaking", "finish", "done"),
    *(
        _h(state, "halt", "halted", "system admin")
        for state in ("asked", "ramping", "soaking", "rolling_back")
    ),
    *(
        _h(state, "roll_back", "rolling_back", "system admin")
        for state in ("asked", "ramping", "soaking", "halted")
    ),
    _h("halted", "ramp", "ramping", "admin"),
    _h("rolling_back", "finish", "rolled_back"),
)


def _f(source: str, event: str, target: str, who: str = "system") -> Transition[FailoverState]:
    return Transition(FailoverState(source), event, FailoverState(target), frozenset(who.split()))


_RETURNABLE = ("requested", "approved", "reserved", "drained", "seized", "fenced", "synced")

FAILOVER: tuple[Transition[FailoverState], ...] = (
    _f("requested", "approve", "approved", "approver"),
    _f("approved", "reserve", "reserved"),
    _f("reserved", "drain", "drained"),
    _f("reserved", "seize", "seized"),
    _f("drained", "seize", "seized"),
    *(_f(state, "lose", "aborted") for state in ("reserved", "drained", "promoting", "promoted")),
    _f("seized", "fence", "fenced"),
    _f("fenced", "sync", "synced"),
    _f("fenced", "promote", "promoting"),
    _f("synced", "promote", "promoting"),
    _f("promoting", "promoted", "promoted"),
    _f("promoted", "open", "opened"),
    _f("opened", "start", "started"),
    _f("started", "validate", "validated"),
    _f("validated", "shift", "shifted"),
    _f("shifted", "commit", "committed", "requester admin"),
    *(_f(state, "abort", "giving_back", "requester admin system") for state in _RETURNABLE),
    _f("giving_back", "return", "aborted"),
)
