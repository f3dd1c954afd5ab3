"""Break-glass: the few commands that must work when the server does not, run in this process and on record.

Whoever may read the keys of the home could change the database anyway; here they can do it in order: by
their own name, with a reason, in the audit chain, and with a notice to everyone who administers or audits.
"""

import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl import bootstrap
from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.clock import Clock, SystemClock
from cloudctl.config import load
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotAllowed
from cloudctl.models import RoleGrant
from cloudctl.notices import tell

MIN_REASON = 10
_INFORMED = (Role.SYSTEM_ADMIN, Role.AUDITOR)


@dataclass(frozen=True)
class Act:
    """One thing that may be done: with which role, and how; `run` answers what is shown."""

    role: Role
    run: Callable[[Core, Actor, str], Mapping[str, Any]]


def _cancel(core: Core, actor: Actor, subject: str) -> Mapping[str, Any]:
    from tenants.requests import cancel  # noqa: PLC0415

    cancel(core, actor, int(subject))
    return {}


def _abandon(core: Core, actor: Actor, subject: str) -> Mapping[str, Any]:
    from provisioning.intervention import abandon  # noqa: PLC0415
    from tenants.settlement import settle  # noqa: PLC0415

    abandon(core, actor, int(subject), settle(core), "break-glass")
    return {}


def _enable(core: Core, actor: Actor, subject: str) -> Mapping[str, Any]:
    from tenants.people import enable_user  # noqa: PLC0415

    enable_user(core, actor, subject)
    return {}


def _reset_password(core: Core, actor: Actor, subject: str) -> Mapping[str, Any]:
    from tenants.people import set_password  # noqa: PLC0415

    return {"first_password": str(set_password(core, actor, subject))}


ACTS: Mapping[str, Act] = {
    "request.cancel": Act(Role.PROVINCE_ADMIN, _cancel),
    "operation.abandon": Act(Role.PROVINCE_ADMIN, _abandon),
    "user.enable": Act(Role.SYSTEM_ADMIN, _enable),
    "user.reset-password": Act(Role.SYSTEM_ADMIN, _reset_password),
}


def operator(home: Path, uid: int | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The name of whoever runs this. NotAllowed unless it is root or the owner of the home."""
    uid = os.geteuid() if uid is None else uid
    if uid not in (0, home.stat().st_uid):
        raise NotAllowed("only root and the owner of {home} may break the glass", home=str(home))
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    behind = environ.get("SUDO_USER")
    return f"local:{behind or name}"


def break_glass(
    home: Path, act: str, subject: str, reason: str, clock: Clock | None = None
) -> dict[str, Any]:
    """Do the act without the server. The use of the glass is on record even when the act then fails."""
    if len(reason.strip()) < MIN_REASON:
        fault = Fault("reason", "too_short", "say in {least} characters or more why", {"least": MIN_REASON})
        raise BadInput("a reason is needed", faults=[fault])
    who = operator(home)
    core = bootstrap.open_core(load(home), clock or SystemClock(), bootstrap.SilentBell())
    try:
        _record(core, who, act, subject, reason.strip())
        actor = Actor(who, who, None, frozenset({Grant(ACTS[act].role, INSTALLATION)}), "break-glass")
        return {"act": act, "subject": subject, "by": who, "reason": reason.strip()} | dict(
            ACTS[act].run(core, actor, subject)
        )
    finally:
        core.store.close()


def _record(core: Core, who: str, act: str, subject: str, reason: str) -> None:
    with core.store.write() as uow:
        details = {"act": act, "subject": subject, "reason": reason}
        core.audit.record(uow, who, "break_glass", act.partition(".")[0], subject, details, "break-glass")
        informed = uow.column(RoleGrant.user_id, RoleGrant.role.in_([role.value for role in _INFORMED]))
        template = "{by} broke the glass: {act} {subject}, because: {reason}"
        tell(uow, core.clock, informed, template, {"by": who, **details}, ("break_glass", subject))
