"""The calls that delete: those of one pass side by side, each again only after a while."""

from collections.abc import Callable
from datetime import datetime, timedelta

from cloudctl.errors import CloudBusy
from cloudctl.operations import Run
from cloudctl.ports import CloudInProject
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.job import Job
from provisioning.lanes import Lanes, worst
from provisioning.teardown import REPEAT_S, Drop, Drops


def drop(run: Run, job: Job, inside: CloudInProject, drops: Drops, lanes: Lanes) -> None:
    """Ask for the deletions of one pass. What is busy waits for the next; other errors are raised."""
    now = run.clock.now()
    asked: dict[str, str] = dict(job.scratch.get("dropped") or {})
    horizon = now - timedelta(seconds=REPEAT_S)
    due = [one for one in drops.now if _is_due(asked.get(one.key), horizon)]
    if not due:
        return
    asked |= {one.key: now.isoformat() for one in due}
    _remember(run, asked, drops.why)
    results = lanes.all(job.site.id, job.site.slots, [dropper(run, inside, one) for one in due])
    failed = {one.key for one, result in zip(due, results, strict=True) if result.error is not None}
    if failed:
        _remember(run, {key: at for key, at in asked.items() if key not in failed}, drops.why)
    error = worst([result for result in results if not isinstance(result.error, CloudBusy)])
    if error is not None:
        raise error


def dropper(run: Run, inside: CloudInProject, one: Drop) -> Callable[[], None]:
    """The call, to be run in a lane."""
    deletes = {SERVER: inside.delete_server, VOLUME: inside.delete_volume, PORT: inside.delete_port}

    def call() -> None:
        run.must_hold()
        if one.server_id:
            inside.detach_volume(one.server_id, one.external_id)
        else:
            deletes[one.kind](one.external_id)

    return call


def _is_due(asked_at: str | None, horizon: datetime) -> bool:
    return asked_at is None or datetime.fromisoformat(asked_at) <= horizon


def _remember(run: Run, asked: dict[str, str], why: str) -> None:
    with run.write() as (_uow, operation):
        operation.scratch = {**operation.scratch, "dropped": asked}
        operation.why = why
