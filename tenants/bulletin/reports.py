"""Ask for a bulletin, follow it, list what there is: one operation for each frozen figure and wording."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cloudctl import notices, operations
from cloudctl.actors import SYSTEM, Actor, Scope
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.lifecycle import OperationState
from cloudctl.models import Division, Document, Operation, User
from cloudctl.queries import migration as reads
from cloudctl.queries import scopes
from cloudctl.queries.migration import Place
from cloudctl.store import UnitOfWork
from cloudctl.texts import LANGUAGES
from tenants.bulletin.assembling import LEVELS, find_division, find_snapshot
from tenants.bulletin.flow import FORMATS, HTML, KIND, MEDIA_TYPES, SUBJECT, Asked, steps_of
from tenants.bulletin.wording import CHINESE

Json = dict[str, Any]
MOST_ISSUER = 60
PAGE = 100
_LOST = (OperationState.FAILED, OperationState.ABANDONED)
_TOLD = {
    True: "the bulletin {name} is made",
    False: "the bulletin {name} could not be made: {error}",
}


@dataclass(frozen=True)
class Wish:
    """How a bulletin is wanted. `issuer` signs it; empty: the office in charge."""

    language: str = CHINESE
    formats: tuple[str, ...] = FORMATS
    issuer: str = ""
    rule: str | None = None  # None: the one in use


def report(
    core: Core, actor: Actor, month: str | None = None, scope: str | None = None, wish: Wish | None = None
) -> int:
    """Start making the bulletin of a frozen month for the province or a city; the operation's id.

    The newest month and the province, where none are named. Asked again for the same revision in the same
    wording, it answers the same operation, finished or not. Needs migration.count for the province,
    migration.target at the division for a city. NotFound when the month is not frozen.
    """
    wish = wish or Wish()
    _check(wish)
    with core.store.write() as uow:
        place = find_division(uow, scope)
        actor.must(*_right(uow, actor, place))
        header = find_snapshot(uow, month, wish.rule)
        uow.for_update(Division, place.code)  # two who ask at once get one bulletin
        # the page is always made: the PDF is printed from it
        formats = tuple(one for one in FORMATS if one in wish.formats or one == HTML)
        asked = Asked(header.id, place.code, wish.language, wish.issuer, formats, actor.user_id)
        subject = f"{header.month}/division:{place.code}"
        known = _same(uow, subject, asked)
        if known is not None:
            return known
        deadline_s = core.settings.operation_deadline_s
        row = operations.start(uow, core.clock, KIND, (SUBJECT, subject), None, deadline_s)
        row.scratch = {"asked": {**asdict(asked), "formats": list(formats)}}
        row.progress_total = steps_of(formats)
        details = {"snapshot": header.id, "revision": header.revision, "sha256": header.sha256}
        details |= {"operation": row.id, "language": wish.language, "formats": list(formats)}
        core.audit.record(uow, actor.user_id, "migration.report", SUBJECT, subject, details, actor.trace_id)
        operation_id = row.id
        uow.after_commit(lambda: core.bell.ring(operation_id))
        return operation_id


def list_reports(
    core: Core,
    actor: Actor,
    month: str | None = None,
    scope: str | None = None,
    limit: int = PAGE,
    marker: int | None = None,
) -> list[Json]:
    """Bulletins that were asked for, the newest first, before `marker`. Needs migration.see anywhere."""
    actor.must("migration.see", actor.scopes("migration.see"))
    conditions: list[Any] = [Operation.kind == KIND]
    if month is not None:
        conditions.append(Operation.subject_id.startswith(f"{month}/", autoescape=True))
    if scope is not None:
        conditions.append(Operation.subject_id.endswith(f"/{scope}", autoescape=True))
    if marker is not None:
        conditions.append(Operation.id < marker)
    with core.store.read() as uow:
        rows = uow.all(Operation, *conditions, order_by=[Operation.id.desc()], limit=limit)
        return _as_json(uow, rows)


def show_report(core: Core, actor: Actor, operation_id: int) -> Json:
    """One bulletin with how far it is and its files. NotFound when no bulletin has this number."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        row = uow.first(Operation, Operation.id == operation_id, Operation.kind == KIND)
        if row is None:
            raise NotFound("{what} '{key}' does not exist", what="bulletin", key=str(operation_id))
        return _as_json(uow, [row])[0]


def places_for(core: Core, actor: Actor) -> list[Json]:
    """The divisions whose bulletin the actor may make, the province first."""
    with core.store.read() as uow:
        found = [
            one
            for one in reads.places(uow).values()
            if one.level in LEVELS and not one.is_retired and _may(uow, actor, one)
        ]
    found.sort(key=lambda one: (LEVELS.index(one.level), one.code))
    return [{"id": f"division:{one.code}", "name": one.name, "state": None} for one in found]


def settle(core: Core, uow: UnitOfWork, operation: Operation) -> None:
    """What follows from the end of a bulletin's operation, in its transaction: on record, and told."""
    asked = Asked.of(operation)
    is_done = operation.state == OperationState.DONE
    files = dict(uow.tuples((Document.name, Document.sha256), *_files(operation.id)))
    details = {"operation": operation.id, "files": files, "error": operation.error_message}
    event = "migration.report.made" if is_done else "migration.report.failed"
    core.audit.record(uow, SYSTEM.user_id, event, SUBJECT, operation.subject_id, details)
    params = {"name": _name(uow, operation), "error": operation.error_message or ""}
    notices.tell(uow, core.clock, [asked.by], _TOLD[is_done], params, (SUBJECT, operation.id))


# -- the pieces


def _check(wish: Wish) -> None:
    faults = []
    known = {"known": ", ".join(FORMATS)}
    for one in sorted(set(wish.formats) - set(FORMATS)):
        params = {**known, "given": one[:20]}
        faults.append(Fault("formats", "unknown_word", "'{given}' is no format; known: {known}", params))
    if wish.language not in LANGUAGES:
        params = {"given": wish.language[:20], "known": ", ".join(LANGUAGES)}
        faults.append(Fault("language", "unknown_word", "'{given}' is no language; known: {known}", params))
    if len(wish.issuer) > MOST_ISSUER or not wish.issuer.isprintable():
        params = {"most": str(MOST_ISSUER)}
        template = "must be one line of at most {most} characters"
        faults.append(Fault("issuer", "bad_text", template, params))
    if faults:
        raise BadInput("the bulletin cannot be made", faults=faults)


def _right(uow: UnitOfWork, actor: Actor, place: Place) -> tuple[str, list[Scope]]:
    """Who counts for the province makes every bulletin; a city's own people make theirs."""
    if place.level == "province" or actor.may("migration.count"):
        return "migration.count", []
    return "migration.target", scopes.division_path(uow, place.code)


def _may(uow: UnitOfWork, actor: Actor, place: Place) -> bool:
    return actor.may(*_right(uow, actor, place))


def _same(uow: UnitOfWork, subject: str, asked: Asked) -> int | None:
    """The operation that makes or made just this, with at least these formats; not one that failed."""
    of_subject = (Operation.kind == KIND, Operation.subject_id == subject, Operation.state.not_in(_LOST))
    for row in uow.all(Operation, *of_subject, order_by=[Operation.id.desc()]):
        known = Asked.of(row)
        if replace(known, by=asked.by, formats=asked.formats) == asked:
            if set(asked.formats) <= set(known.formats):
                return row.id
    return None


def _as_json(uow: UnitOfWork, rows: Sequence[Operation]) -> list[Json]:
    columns = (Document.operation_id, Document.id, Document.name, Document.media_type, Document.sha256)
    ids = [row.id for row in rows if row.state == OperationState.DONE]
    files: dict[int, list[Json]] = {}
    of_these = (Document.kind == KIND, Document.operation_id.in_(ids))
    for operation_id, key, name, media_type, sha256 in uow.tuples(columns, *of_these):
        form = next((one for one, known in MEDIA_TYPES.items() if known == media_type), None)
        file = {"id": key, "name": name, "state": None, "format": form, "sha256": sha256}
        files.setdefault(operation_id, []).append(file)
    names = dict(uow.tuples((User.id, User.name), User.id.in_({Asked.of(row).by for row in rows})))
    return [{**_row(uow, row, names), "documents": _in_order(files.get(row.id, []))} for row in rows]


def _row(uow: UnitOfWork, row: Operation, names: Mapping[str, str]) -> Json:
    month, _, scope = row.subject_id.partition("/")
    asked = Asked.of(row)
    return {
        "id": row.id,
        "name": _name(uow, row),
        "state": row.state,
        "month": month,
        "scope": scope,
        "snapshot": asked.snapshot_id,
        "language": asked.language,
        "issuer": asked.issuer,
        "asked_by": asked.by,
        "asked_by_name": names.get(asked.by),
        "step": row.step,
        "why": row.why,
        "progress_done": row.progress_done,
        "progress_total": row.progress_total,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def _in_order(files: list[Json]) -> list[Json]:
    return sorted(files, key=lambda one: FORMATS.index(one["format"]) if one["format"] in FORMATS else 9)


def _name(uow: UnitOfWork, row: Operation) -> str:
    """The division and the month, as people say them."""
    month, _, scope = row.subject_id.partition("/")
    division = uow.get(Division, scope.partition(":")[2])
    return f"{division.name if division else scope} {month}"


def _files(operation_id: int) -> tuple[Any, ...]:
    return Document.kind == KIND, Document.operation_id == operation_id
