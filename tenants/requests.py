"""What a department does with its requests: preview, submit, resubmit, withdraw, cancel; their time-out."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NoReturn

from cloudctl import operations
from cloudctl.actors import SYSTEM, Actor
from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.errors import Conflict, Fault, NotAllowed, OverQuota
from cloudctl.lifecycle import REQUEST, HoldState, RequestState, move
from cloudctl.models import InformationSystem, Operation, Project, ServiceRequest
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from tenants import course, forms, ledger
from tenants.decision import Decision, Verdict
from tenants.intake import look
from tenants.releasable import lock_projects

_MOST_KEY = 200


def preview(core: Core, actor: Actor, form: Mapping[str, Any]) -> Decision:
    """What would become of the form: the same decision as `submit`, and nothing is written.

    BadInput with all faults of the form; NotAllowed where the person may not ask.
    """
    with core.store.read() as uow:
        return look(uow, actor, form)


def submit(core: Core, actor: Actor, form: Mapping[str, Any], idempotency_key: str = "") -> int:
    """The id of the request, held at every level and on its way to those who decide.

    The same key from the same person gives the first request again. BadInput, NotAllowed; Refused or
    OverQuota with every reason and the nearest request that fits.
    """
    key = idempotency_key.strip() or new_id()
    if len(key) > _MOST_KEY:
        forms.must_be_clean(
            [Fault("idempotency_key", "too_long", "has at most {most} characters", {"most": _MOST_KEY})]
        )
    try:
        with core.store.write() as uow:
            return _submitted(uow, actor, key) or _submit(core, uow, actor, form, key)
    except OverQuota as error:
        _refuse_with_nearest(core, actor, form, error)
    except Conflict:
        with core.store.read() as uow:  # the same click twice at once: the other one has won
            first = _submitted(uow, actor, key)
        if first is None:
            raise
        return first


def resubmit(core: Core, actor: Actor, request_id: int, form: Mapping[str, Any]) -> None:
    """Send a returned request again, changed or not: the difference is held, and all stages begin anew."""
    try:
        with core.store.write() as uow:
            request = _own(uow, actor, request_id)
            if request.kind != form.get("kind", request.kind):
                template = "a returned request stays what it is: {kind}"
                forms.must_be_clean([Fault("kind", "other_kind", template, {"kind": request.kind})])
            move(REQUEST, RequestState(request.state), "resubmit")
            _resubmit(core, uow, actor, request, {"kind": request.kind, **form})
    except OverQuota as error:
        _refuse_with_nearest(core, actor, form, error, request_id)


def withdraw(core: Core, actor: Actor, request_id: int) -> None:
    """Take one's own request back before it is decided; what it holds is free again."""
    with core.store.write() as uow:
        request = _own(uow, actor, request_id)
        course.move_request(uow, core.clock, request, "withdraw", ended_at=core.clock.now())
        _end(core, uow, request, "request {id} ({title}) was withdrawn")
        course.record(core, uow, actor, "request.withdraw", request)


def cancel(core: Core, actor: Actor, request_id: int) -> None:
    """Stop a request, also while it is being built: then what was made is undone first.

    For its requester and the administrators of site and province.
    """
    with core.store.write() as uow:
        request = course.visible(uow, actor, request_id)
        path = scopes.department_path(uow, request.department_id, request.site_id)
        if request.requested_by != actor.user_id:
            actor.must("request.cancel", path)
        now = core.clock.now()
        if request.state == RequestState.BUILDING:
            _ask_operation_to_stop(core, uow, request)
            course.move_request(uow, core.clock, request, "cancel")
        else:
            course.move_request(uow, core.clock, request, "cancel", ended_at=now)
            _end(core, uow, request, "request {id} ({title}) was cancelled by {who}", {"who": actor.name})
        course.record(core, uow, actor, "request.cancel", request)


def expire_due(core: Core) -> int:
    """Time out the requests that nobody answered; how many. What they held is free again."""
    open_states = (RequestState.AWAITING_APPROVAL, RequestState.RETURNED)
    due = [ServiceRequest.state.in_(open_states), ServiceRequest.expires_at <= core.clock.now()]
    with core.store.read() as uow:
        ids = uow.column(ServiceRequest.id, *due)
    return sum(_expire(core, request_id) for request_id in ids)


# -- the pieces ---------------------------------------------------------------------------------


def _submit(core: Core, uow: UnitOfWork, actor: Actor, form: Mapping[str, Any], key: str) -> int:
    _lock_what_is_released(uow, form)
    decision = look(uow, actor, form)
    decision.must_not_be_refused()
    project = _ensure_project(core, uow, decision)
    now = core.clock.now()
    ask = decision.ask
    request = uow.add(
        ServiceRequest(
            kind=ask.draft.kind,
            state=_first_state(decision),
            department_id=project.department_id,
            requested_by=actor.user_id,
            idempotency_key=key,
            created_at=now,
            changed_at=now,
            **_columns(core, decision, project),
        )
    )
    request_id = request.id
    ledger.hold(uow, core.clock, request_id, project, decision.needed)
    _send_on(core, uow, request)
    course.record(core, uow, actor, "request.submit", request, **_on_record(decision))
    return request_id


def _resubmit(
    core: Core, uow: UnitOfWork, actor: Actor, request: ServiceRequest, form: Mapping[str, Any]
) -> None:
    _lock_what_is_released(uow, form)
    decision = look(uow, actor, form, request)
    decision.must_not_be_refused()
    project = _ensure_project(core, uow, decision)
    is_automatic = decision.verdict is Verdict.AUTOMATIC
    event = "resubmit_automatic" if is_automatic else "resubmit"
    columns = {"department_id": project.department_id, **_columns(core, decision, project)}
    course.move_request(uow, core.clock, request, event, **columns)
    ledger.change_holds(uow, core.clock, request.id, project, decision.needed)
    course.settle_notices(core, uow, request)
    _send_on(core, uow, request)
    course.record(core, uow, actor, "request.resubmit", request, **_on_record(decision))


def _first_state(decision: Decision) -> RequestState:
    waiting = RequestState.AWAITING_APPROVAL
    return move(REQUEST, waiting, "approve_last") if decision.verdict is Verdict.AUTOMATIC else waiting


def _columns(core: Core, decision: Decision, project: Project) -> dict[str, Any]:
    ask = decision.ask
    return {
        "system_id": project.system_id,
        "project_id": project.id,
        "site_id": project.site_id,
        "zone": ask.zone,
        "draft": ask.draft.as_json(),
        "needed": decision.needed.as_json(),
        "stages": [who.stage.as_json() for who in decision.stages],
        "stage": 0,
        "approval_number": ask.approval_number,
        "payer": ask.payer,
        "reason": ask.reason,
        "expires_at": core.clock.now() + timedelta(seconds=core.settings.request_expires_s),
    }


def _on_record(decision: Decision) -> dict[str, object]:
    return {
        "verdict": decision.verdict.value,
        "needed": decision.needed.as_json(),
        "stages": [who.stage.name for who in decision.stages],
        "approval_number": decision.ask.approval_number,
        "payer": decision.ask.payer,
    }


def _send_on(core: Core, uow: UnitOfWork, request: ServiceRequest) -> None:
    """To the people of its first stage, or to work when no stage applies."""
    if request.state == RequestState.BUILDING:
        course.begin_work(core, uow, request)
    else:
        course.ask_next(core, uow, request)


def _ensure_project(core: Core, uow: UnitOfWork, decision: Decision) -> Project:
    """The row of the project; where it is missing it is planned now, and made by the operation."""
    system = uow.need(InformationSystem, decision.system)
    environment = decision.ask.environment
    where = (
        Project.system_id == system.id,
        Project.environment == environment,
        Project.site_id == decision.site,
    )
    project = uow.first(Project, *where)
    if project is None:
        row = {
            "id": scopes.project_id(system.id, environment, decision.site),
            "name": f"{system.id}-{environment}",
            "system_id": system.id,
            "department_id": system.department_id,
            "environment": environment,
            "site_id": decision.site,
            "state": "planned",
            "origin": "made",
            "quota_pushed": {},
            "created_at": core.clock.now(),
        }
        uow.insert_missing(Project, [row])
        project = uow.first(Project, *where)
    assert project is not None
    return project


def _lock_what_is_released(uow: UnitOfWork, form: Mapping[str, Any]) -> None:
    resources = form.get("resources")
    if form.get("kind") == "release" and isinstance(resources, list):
        lock_projects(uow, [str(one) for one in resources])


def _submitted(uow: UnitOfWork, actor: Actor, key: str) -> int | None:
    mine = (ServiceRequest.requested_by == actor.user_id, ServiceRequest.idempotency_key == key)
    first = uow.first(ServiceRequest, *mine)
    return first.id if first else None


def _own(uow: UnitOfWork, actor: Actor, request_id: int) -> ServiceRequest:
    request = course.visible(uow, actor, request_id)
    if request.requested_by != actor.user_id:
        raise NotAllowed("only {requester} may do this with request {id}",
                         requester=request.requested_by, id=request_id)  # fmt: skip
    return request


def _refuse_with_nearest(
    core: Core, actor: Actor, form: Mapping[str, Any], error: OverQuota, request_id: int | None = None
) -> NoReturn:
    """Say what would fit also when the room was taken between the look and the hold."""
    if error.hint is None:
        with core.store.read() as uow:
            request = uow.get(ServiceRequest, request_id) if request_id is not None else None
            look(uow, actor, form, request).must_not_be_refused()
    raise error


def _end(
    core: Core,
    uow: UnitOfWork,
    request: ServiceRequest,
    template: str,
    params: Mapping[str, object] | None = None,
) -> None:
    ledger.end_holds(uow, core.clock, request.id, HoldState.FREED)
    course.tell_requester(core, uow, request, template, params)


def _ask_operation_to_stop(core: Core, uow: UnitOfWork, request: ServiceRequest) -> None:
    """Before the request is touched: whoever ends the operation holds its row first."""
    operation_id, now = request.operation_id, core.clock.now()
    running = (Operation.id == operation_id, Operation.state.in_(operations.OPEN))
    if not uow.update(Operation, *running, cancel_asked_at=now, next_at=now):
        raise Conflict("request {id} has just ended; look again", id=request.id)
    if operation_id is not None:
        uow.after_commit(lambda: core.bell.ring(operation_id))


def _expire(core: Core, request_id: int) -> bool:
    try:
        with core.store.write() as uow:
            request = uow.need(ServiceRequest, request_id)
            course.move_request(uow, core.clock, request, "expire", ended_at=core.clock.now())
            _end(core, uow, request, "request {id} ({title}) was not decided in time and has expired")
            course.record(core, uow, SYSTEM, "request.expire", request)
    except Conflict:
        return False  # somebody answered in this very moment
    return True
