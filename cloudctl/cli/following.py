"""Following a request or other work until it ends: a question a second, a bar on a terminal.

When piped nothing is shown but the result.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cloudctl.cli import exits
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

POLL_S = 1.0
ENDED = frozenset({"delivered", "failed", "rejected", "returned", "withdrawn", "expired", "cancelled"})
WORK_ENDED = frozenset({"done", "failed", "abandoned"})
_EXITS = {"delivered": exits.DONE, "rejected": exits.REFUSED, "returned": exits.REFUSED}

Report = Callable[["Json", "Json | None"], None]


def follow(
    client: "Client",
    request_id: int,
    report: Report,
    timeout_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> "Json":
    """The request when it has ended. A Complaint when it has not within `timeout_s`.

    `report` is told the request and its operation, if it has one, each time they were asked for.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        request = client.get(f"/requests/{request_id}")
        if request["state"] in ENDED:
            report(request, None)
            return request
        number = request.get("operation_id")
        report(request, client.get(f"/operations/{number}") if number else None)
        if end is not None and time.monotonic() >= end:
            raise _late(request)
        sleep(POLL_S)


def follow_work(
    client: "Client",
    path: str,
    report: Report,
    timeout_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> "Json":
    """What is at the path once it has ended; it has the state and the progress of an operation.

    A Complaint when it has not ended within `timeout_s`.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        work = client.get(path)
        report(work, work)
        if work["state"] in WORK_ENDED:
            return work
        if end is not None and time.monotonic() >= end:
            raise Complaint("timed_out", f"{path.strip('/')} is still in state {work['state']}")
        sleep(POLL_S)


def exit_code(request: "Json") -> int:
    """What a command that waited for the request answers."""
    return _EXITS.get(request["state"], exits.FAILED)


def _late(request: "Json") -> Complaint:
    if request["state"] == "awaiting_approval":
        return Complaint("second_person_needed", f"request {request['id']} still waits for approval")
    return Complaint("timed_out", f"request {request['id']} is still in state {request['state']}")


@contextmanager
def reporter(stream: TextIO, noun: str = "request") -> Iterator[Report]:
    """A bar on a terminal; silence anywhere else. `noun` is what is followed."""
    if not stream.isatty():
        yield lambda _request, _operation: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=stream)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def report(request: "Json", operation: "Json | None") -> None:
            words = f"{noun} {request['id']} {request['state']}"
            if operation is None:
                progress.update(task, description=words, total=None)
                return
            words += f": {operation.get('why') or operation.get('step') or operation['state']}"
            done, total = operation.get("progress_done", 0), operation.get("progress_total") or None
            progress.update(task, description=words, completed=done, total=total)

        yield report
