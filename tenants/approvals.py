"""The decisions on a request: each stage by another person, never the requester, always on record."""

from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import Fault, NotAllowed, SecondPersonNeeded
from cloudctl.lifecycle import REQUEST, HoldState, RequestState, move
from cloudctl.models import Approval, ServiceRequest
from cloudctl.queries import requests as queries
from cloudctl.store import UnitOfWork
from tenants import course, forms, ledger
from tenants.intake import must_still_be_possible
from tenants.stages import Stage

_MOST_OPINION = 1000
_ACTIONS = {"approved": "request.approve", "returned": "request.return", "rejected": "request.reject"}


@dataclass(frozen=True)
class _Word:
    """What somebody says about the stage of a request."""

    actor: Actor
    index: int
    stage: Stage
    opinion: str


def approve(core: Core, actor: Actor, request_id: int, opinion: str = "") -> None:
    """Approve the present stage; the last approval starts the work in the same transaction.

    SecondPersonNeeded for the requester and for whoever approved another stage; NotAllowed without the
    stage's role; Refused or OverQuota when the rules say no by now; Conflict when somebody was faster.
    """
    with core.store.write() as uow:
        request, word = _to_decide(uow, actor, request_id, "approve", opinion)
        is_last = word.index + 1 >= len(request.stages)
        event = "approve_last" if is_last else "approve"
        course.move_request(uow, core.clock, request, event, stage=word.index + 1)
        must_still_be_possible(uow, request)
        _write(core, uow, request, word, "approved")
        if is_last:
            course.tell_requester(core, uow, request, "request {id} ({title}) is approved and being made")
            course.begin_work(core, uow, request)
        else:
            course.settle_notices(core, uow, request)
            course.ask_next(core, uow, request)


def return_(core: Core, actor: Actor, request_id: int, opinion: str) -> None:
    """Give the request back to be changed; it keeps what it holds until it is sent again or expires."""
    with core.store.write() as uow:
        request, word = _to_decide(uow, actor, request_id, "return", opinion)
        course.move_request(uow, core.clock, request, "return")
        _write(core, uow, request, word, "returned")
        template = "request {id} ({title}) was returned by {who}: {opinion}"
        course.tell_requester(core, uow, request, template, _by(word), needs_action=True)


def reject(core: Core, actor: Actor, request_id: int, opinion: str) -> None:
    """Refuse the request for good; what it held is free again."""
    with core.store.write() as uow:
        request, word = _to_decide(uow, actor, request_id, "reject", opinion)
        course.move_request(uow, core.clock, request, "reject", ended_at=core.clock.now())
        ledger.end_holds(uow, core.clock, request.id, HoldState.FREED)
        _write(core, uow, request, word, "rejected")
        template = "request {id} ({title}) was rejected by {who}: {opinion}"
        course.tell_requester(core, uow, request, template, _by(word))


def inbox(core: Core, actor: Actor) -> list[dict[str, Any]]:
    """The requests that wait for this person, those that have waited longest first."""
    with core.store.read() as uow:
        return queries.inbox(uow, actor)


def _by(word: _Word) -> dict[str, object]:
    return {"who": word.actor.name, "opinion": word.opinion}


def _to_decide(
    uow: UnitOfWork, actor: Actor, request_id: int, event: str, opinion: str
) -> tuple[ServiceRequest, _Word]:
    """The request and what is said about its present stage, when the actor may decide it."""
    request = course.visible(uow, actor, request_id)
    move(REQUEST, RequestState(request.state), event)
    _check_opinion(opinion, is_needed=event != "approve")
    if actor.user_id == request.requested_by:
        raise SecondPersonNeeded("{who} asked for request {id}: another person has to decide",
                                 who=actor.user_id, id=request_id)  # fmt: skip
    stage = Stage.from_json(request.stages[request.stage])
    if not actor.has(stage.role, queries.stage_path(uow, stage.scope)):
        raise NotAllowed("the stage '{stage}' is decided by a {role} of {scope}",
                         stage=stage.title, role=stage.role.value, scope=":".join(stage.scope))  # fmt: skip
    if actor.user_id in queries.approvers(uow, request.id):
        raise SecondPersonNeeded("{who} approved a stage of request {id}: another person has to decide",
                                 who=actor.user_id, id=request_id)  # fmt: skip
    return request, _Word(actor, request.stage, stage, opinion.strip())


def _check_opinion(opinion: str, is_needed: bool) -> None:
    if is_needed and not opinion.strip():
        forms.must_be_clean([Fault("opinion", "missing", "say why", hint="the requester reads it")])
    if len(opinion) > _MOST_OPINION:
        params = {"most": _MOST_OPINION}
        forms.must_be_clean([Fault("opinion", "too_long", "has at most {most} characters", params)])


def _write(core: Core, uow: UnitOfWork, request: ServiceRequest, word: _Word, verdict: str) -> None:
    uow.add(
        Approval(
            request_id=request.id,
            round=queries.round_of(uow, request.id),
            stage=word.index,
            stage_name=word.stage.name,
            verdict=verdict,
            opinion=word.opinion,
            decided_by=word.actor.user_id,
            decided_at=core.clock.now(),
        )
    )
    details = {"stage": word.stage.name, "opinion": word.opinion}
    course.record(core, uow, word.actor, _ACTIONS[verdict], request, **details)
