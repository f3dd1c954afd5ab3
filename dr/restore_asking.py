"""What people do to bring points back: look at what would happen, ask, decide what others asked, undo.

New volumes and servers beside what is there are one person's business. Where a running system gets other
volumes, a second person decides, and so for undoing it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudctlError, Fault, NotFound, Refused, SecondPersonNeeded, WrongState
from cloudctl.models import PolicyMember, Project, RecoveryPoint, Restore
from cloudctl.notices import settle, tell
from cloudctl.ports import Clouds
from cloudctl.queries import backups as reads
from cloudctl.store import UnitOfWork
from dr import restore_facts, restore_plan, starting
from dr.acting import find_point, path_of, project_for, vault_for
from dr.members import BUCKET
from dr.recording import PAIRS
from dr.restore_facts import Facts
from dr.restore_plan import BACK, BY_TWO, MODES, OVER, VOLUMES, Plan, Wish
from provisioning import administrators
from tenants import ledger

Json = dict[str, Any]
AWAITING, RESTORE = "awaiting", "restore"
_MOST_VOLUMES, _MOST_TEXT = 100, 1000


@dataclass(frozen=True)
class Asked:
    """What is asked for. The project is the system's own at the site, and the vault the nearest, by default.

    `volumes`: `position` or `volume` (its name), and `name` and `type` where they shall differ; empty: all.
    `is_beyond_quota`: also where the quota leaves too little; for whoever sets quotas.
    """

    point: str
    mode: str = VOLUMES
    site: str | None = None
    project: str | None = None
    vault: str | None = None
    volumes: tuple[Mapping[str, Any], ...] = ()
    flavors: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    is_beyond_quota: bool = False


def preview(core: Core, actor: Actor, clouds: Clouds, asked: Asked) -> Json:
    """What would be made, where, and all that is wrong with it at once; nothing is changed.

    The cloud of the site is asked what it has; one that does not answer is a fault among the others.
    """
    with core.store.read() as uow:
        facts, faults = _read(uow, actor, asked)
    place, trouble = restore_facts.ask(clouds, facts.place)
    plan = restore_plan.draw(_wish(asked), facts.volumes, facts.servers, place, facts.standing)
    faults += [*plan.faults, *trouble]
    with core.store.read() as uow:
        project = uow.get(Project, facts.project) if facts.project else None
        short = ledger.shortages(uow, project, plan.needed) if project is not None else []
    row = _row(facts, plan)
    may_ignore = asked.is_beyond_quota and actor.may("quota.set")
    notes = [*plan.notes, *(short if may_ignore else ())]
    faults += [] if may_ignore else short
    return {**row, "state": "impossible" if faults else "possible", "faults": faults, "notes": notes}


def ask(core: Core, actor: Actor, asked: Asked) -> Json:
    """Begin the restore, or put it before a second person. BadInput with all faults; OverQuota.

    Needs backup.restore where the volumes shall be.
    """
    with core.store.write() as uow:
        facts, faults = _read(uow, actor, asked, is_strict=True)
        plan = restore_plan.draw(_wish(asked), facts.volumes, facts.servers, facts.place, facts.standing)
        if faults or plan.faults:
            raise BadInput("the input has faults", faults=[*faults, *plan.faults])
        if asked.is_beyond_quota:
            actor.must("quota.set")
        more = {"servers": list(plan.servers), "is_beyond_quota": asked.is_beyond_quota}
        made = starting.begin_restore(
            uow, core.clock, facts.point, facts.vault, facts.place.site, facts.external, actor.user_id,
            _volumes(plan), asked.mode, **more,
        )  # fmt: skip
        made.reason = asked.reason.strip()
        _go(core, uow, actor, made, facts.point)
        return _told(made)


def approve(core: Core, actor: Actor, restore_id: int, opinion: str = "") -> Json:
    """Begin what somebody else asked for. SecondPersonNeeded for whoever asked; WrongState when decided."""
    with core.store.write() as uow:
        restore, point = _to_decide(uow, actor, restore_id)
        _decide(core, uow, actor, restore, opinion)
        starting.start_restore(uow, core.clock, restore)
        _ring(core, uow, restore.operation_id)
        _record(core, uow, actor, "restore.approve", point, restore=restore.id, mode=restore.mode)
        return _told(restore)


def reject(core: Core, actor: Actor, restore_id: int, opinion: str) -> Json:
    """It is not done, and why; whoever asked takes it back by the same way, without an opinion."""
    with core.store.write() as uow:
        restore, point = _awaiting(uow, actor, restore_id)
        is_own = restore.asked_by == actor.user_id
        if not is_own:
            actor.must("backup.restore", path_of(uow, point.system_id, restore.to_site_id))
            if not opinion.strip():
                raise BadInput("the input has faults", faults=[Fault("opinion", "missing", "is missing")])
        _decide(core, uow, actor, restore, opinion)
        restore.state, restore.ended_at = ("withdrawn" if is_own else "rejected"), core.clock.now()
        _record(core, uow, actor, "restore.reject", point, restore=restore.id, opinion=opinion.strip())
        return _told(restore)


def undo(core: Core, actor: Actor, restore_id: int, reason: str) -> Json:
    """Ask that the servers get the volumes back that they had before this restore; a second person decides.

    What the system wrote since then stays in the volumes that it used, beside. WrongState unless it is done.
    """
    with core.store.write() as uow:
        restore, point = _seen(uow, actor, restore_id)
        actor.must("backup.restore", path_of(uow, point.system_id, restore.to_site_id))
        if restore.mode != OVER or restore.state != "done":
            raise WrongState("restore {id} is {state}, and cannot be undone", id=restore.id,
                             state=restore.state)  # fmt: skip
        if not reason.strip():
            raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing")])
        kept = {key: restore.plan[key] for key in ("servers", PAIRS)}
        made = starting.begin_restore(
            uow, core.clock, point, restore.from_site_id, restore.to_site_id, restore.to_project,
            actor.user_id, (), BACK, of=restore.id, **kept,
        )  # fmt: skip
        made.reason = reason.strip()[:_MOST_TEXT]
        _go(core, uow, actor, made, point)
        return _told(made)


# -- the pieces ---------------------------------------------------------------------------------


def _read(uow: UnitOfWork, actor: Actor, asked: Asked, is_strict: bool = False) -> tuple[Facts, list[Fault]]:
    """What the database knows, and what is wrong so far; `is_strict` raises where it cannot go on."""
    point = find_point(uow, actor, asked.point)
    site = asked.site or point.site_id
    actor.must("backup.restore", path_of(uow, point.system_id, site))
    if uow.need(PolicyMember, point.member_id).kind == BUCKET:
        raise Refused("point {point} is one of a bucket, and has no volumes", point=point.id)
    faults: list[Fault] = []

    def found(place: str, search: Any) -> Any:
        try:
            return search()
        except (Refused, NotFound) as error:
            if is_strict:
                raise
            faults.append(_as_fault(place, error))
            return None

    project = found("project", lambda: project_for(uow, point, site, asked.project))
    vault = asked.vault or found("vault", lambda: vault_for(uow, point, site)) or ""
    faults += _form_faults(asked, point)
    return restore_facts.read(uow, point, site, project, vault), faults


def _form_faults(asked: Asked, point: RecoveryPoint) -> list[Fault]:
    faults = []
    if asked.mode not in MODES:
        params = {"given": asked.mode[:60], "choices": ", ".join(MODES)}
        faults.append(Fault("mode", "unknown_word", "'{given}' is none of: {choices}", params))
    if len(asked.volumes) > _MOST_VOLUMES:
        faults.append(Fault("volumes", "too_many", "at most {most}", {"most": _MOST_VOLUMES}))
    if len(asked.reason) > _MOST_TEXT:
        faults.append(Fault("reason", "too_long", "at most {most} characters", {"most": _MOST_TEXT}))
    if asked.mode == OVER and not asked.reason.strip():
        faults.append(Fault("reason", "missing", "is missing"))
    if asked.mode == OVER and asked.site not in {None, point.site_id}:
        template = "a system is restored over itself where it is: at {site}"
        faults.append(Fault("site", "other_site", template, {"site": point.site_id}))
    return faults


def _as_fault(place: str, error: CloudctlError) -> Fault:
    return Fault(place, error.code, error.template, error.params, error.hint)


def _wish(asked: Asked) -> Wish:
    return Wish(asked.mode, tuple(asked.volumes), asked.flavors, asked.types, asked.zones)


def _volumes(plan: Plan) -> list[Json]:
    keys = ("position", "name", "type", "original")
    return [{key: row[key] for key in keys if row[key] is not None} for row in plan.volumes]


def _row(facts: Facts, plan: Plan) -> Json:
    point = facts.point
    return {
        "id": point.id,
        "name": f"{point.system_id}#{point.sequence}",
        "site": facts.place.site,
        "project": facts.project,
        "vault": facts.vault,
        "volumes": list(plan.volumes),
        "servers": list(plan.servers),
        "needed": plan.needed.as_json(),
    }


def _told(restore: Restore) -> Json:
    return {"id": restore.id, "name": restore.point_id, "state": restore.state, "mode": restore.mode,
            "site": restore.to_site_id, "project": restore.to_project, "vault": restore.from_site_id,
            "operation_id": restore.operation_id}  # fmt: skip


def _go(core: Core, uow: UnitOfWork, actor: Actor, restore: Restore, point: RecoveryPoint) -> None:
    """Wake a worker, or tell those who have to decide; and put it into the audit."""
    _ring(core, uow, restore.operation_id)
    details = {"to": restore.to_site_id, "project": restore.to_project, "vault": restore.from_site_id}
    told = {"restore": restore.id, "mode": restore.mode, "reason": restore.reason}
    _record(core, uow, actor, "restore", point, **details, **told)
    if restore.mode in BY_TWO:
        words = "{who} asks that {system} gets other volumes (restore {id}); a second person has to decide"
        people = [one for one in administrators.of_site(uow, restore.to_site_id) if one != actor.user_id]
        params = {"who": actor.user_id, "system": point.system_id, "id": restore.id}
        tell(uow, core.clock, people, words, params, (RESTORE, restore.id), needs_action=True)


def _seen(uow: UnitOfWork, actor: Actor, restore_id: int) -> tuple[Restore, RecoveryPoint]:
    """The restore, locked, of a point that the actor sees. NotFound."""
    reads.show_restore(uow, actor, restore_id)
    restore = uow.for_update(Restore, restore_id)
    return restore, uow.need(RecoveryPoint, restore.point_id)


def _awaiting(uow: UnitOfWork, actor: Actor, restore_id: int) -> tuple[Restore, RecoveryPoint]:
    restore, point = _seen(uow, actor, restore_id)
    if restore.state != AWAITING:
        raise WrongState("restore {id} is {state} already", id=restore.id, state=restore.state)
    return restore, point


def _to_decide(uow: UnitOfWork, actor: Actor, restore_id: int) -> tuple[Restore, RecoveryPoint]:
    restore, point = _awaiting(uow, actor, restore_id)
    actor.must("backup.restore", path_of(uow, point.system_id, restore.to_site_id))
    if restore.asked_by == actor.user_id:
        raise SecondPersonNeeded("whoever asked for restore {id} cannot approve it", id=restore.id)
    return restore, point


def _decide(core: Core, uow: UnitOfWork, actor: Actor, restore: Restore, opinion: str) -> None:
    restore.decided_by, restore.decided_at = actor.user_id, core.clock.now()
    restore.opinion = opinion.strip()[:_MOST_TEXT]
    settle(uow, core.clock, (RESTORE, restore.id))


def _ring(core: Core, uow: UnitOfWork, operation_id: int | None) -> None:
    if operation_id is not None:
        uow.after_commit(lambda: core.bell.ring(operation_id))


def _record(
    core: Core, uow: UnitOfWork, actor: Actor, action: str, point: RecoveryPoint, **details: object
) -> None:
    told = {"system": point.system_id, "site": point.site_id, "sequence": point.sequence, **details}
    subject = (starting.POINT_SUBJECT, point.id)
    core.audit.record(uow, actor.user_id, f"backup.{action}", *subject, told, actor.trace_id)
