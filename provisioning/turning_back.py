"""How work that cannot be finished turns round: what first went wrong is kept, and ends the undo."""

from collections.abc import Mapping
from typing import Any, Protocol

from cloudctl.errors import CloudctlError, restored
from cloudctl.lifecycle import OPERATION, Failed, Later, OperationState, move
from cloudctl.operations import BACKOFF_S, Run


class Remembers(Protocol):
    """The rows of an operation; its scratch has what first went wrong."""

    @property
    def scratch(self) -> Mapping[str, Any]: ...


def turn_back(run: Run, error: CloudctlError, step: tuple[str, str], why: str) -> Later:
    """Begin the undo, with the error in the journal under step and state; one begun goes on after a pause."""
    with run.write() as (uow, operation):
        if operation.state == OperationState.UNDOING:
            pause = BACKOFF_S[min(max(operation.attempts, 1), len(BACKOFF_S)) - 1]
            return Later(pause, error.text())
        operation.state = move(OPERATION, OperationState(operation.state), "undo")
        operation.scratch = {**operation.scratch, "failure": _stored(error)}
        run.journal(uow, *step, error.text(), error.cloud_request_id)
    return Later(0, why)


def failed(job: Remembers) -> Failed:
    """The end of the undo: what had gone wrong, as an error again."""
    failure: Mapping[str, Any] = job.scratch.get("failure") or {}
    message = failure.get("message", "it failed")
    return Failed(restored(failure.get("code", "error"), message, failure.get("cloud_request_id")))


def _stored(error: CloudctlError) -> Mapping[str, Any]:
    """The error as the operation remembers it; the request id is kept apart."""
    words = error.text()
    if error.cloud_request_id:
        words = words.removesuffix(f" [{error.cloud_request_id}]")
    words = "; ".join((words, *map(str, error.faults)))
    return {"code": error.code, "message": words, "cloud_request_id": error.cloud_request_id}
