"""The way of an information system onto the cloud."""

from enum import StrEnum

from cloudctl.lifecycle.table import Transition


class MigrationStage(StrEnum):
    """How far a system has come on its way onto the cloud. Stored: never rename one without a migration."""

    REGISTERED = "registered"
    CLASSIFIED = "classified"
    ASSESSED = "assessed"
    PLANNED = "planned"
    AGREED = "agreed"
    MIGRATING = "migrating"
    TRIAL = "trial"
    ACCEPTED = "accepted"
    DONE = "done"
    EXEMPT = "exempt"
    RETIRED = "retired"
    MERGED = "merged"


def _m(source: str, event: str, target: str, who: str) -> Transition[MigrationStage]:
    return Transition(MigrationStage(source), event, MigrationStage(target), frozenset(who.split()))


_OWNER, _CLOUD = "department_approver division_reviewer", "cloud_admin province_admin"
_BEFORE_TRIAL = ("registered", "classified", "assessed", "planned", "agreed", "migrating")
_ON_CLOUD = ("trial", "accepted", "done")

# What each stage has to show is in tenants/migration/stages.py; `exempt` needs a second person.
MIGRATION: tuple[Transition[MigrationStage], ...] = (
    _m("registered", "classify", "classified", _OWNER),
    _m("classified", "assess", "assessed", f"{_OWNER} {_CLOUD}"),
    _m("assessed", "plan", "planned", f"{_OWNER} {_CLOUD}"),
    _m("planned", "agree", "agreed", f"{_OWNER} {_CLOUD}"),
    _m("agreed", "migrate", "migrating", f"{_OWNER} {_CLOUD}"),
    _m("migrating", "try", "trial", f"{_OWNER} {_CLOUD}"),
    _m("trial", "roll_back", "migrating", f"{_OWNER} {_CLOUD}"),
    _m("trial", "accept", "accepted", _OWNER),
    _m("accepted", "finish", "done", f"{_OWNER} {_CLOUD}"),
    _m("accepted", "revoke", "trial", "province_admin"),
    _m("done", "revoke", "trial", "province_admin"),
    *(_m(stage, "exempt", "exempt", "province_admin") for stage in _BEFORE_TRIAL),
    _m("exempt", "end_exemption", "classified", "province_admin system"),
    *(_m(stage, "retire", "retired", _OWNER) for stage in (*_BEFORE_TRIAL, *_ON_CLOUD, "exempt")),
    *(_m(stage, "merge", "merged", _OWNER) for stage in (*_BEFORE_TRIAL, *_ON_CLOUD, "exempt")),
    _m("retired", "restore", "registered", "province_admin"),
)
