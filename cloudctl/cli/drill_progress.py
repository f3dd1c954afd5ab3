"""A drill while it goes on: every part with its state and times, on a terminal; nothing when piped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from rich.table import Table

    from cloudctl.cli.client import Client, Json

POLL_S = 1.0
Report = Callable[["Json"], None]
_LOOKS = {"answered": "green", "failed": "red", "blocked": "red", "starting": "yellow", "asked": "yellow"}


def follow(
    client: "Client",
    drill_id: int,
    report: Report,
    timeout_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    until: tuple[str, ...] = ("done",),
) -> "Json":
    """The drill once it is in one of the states. A Complaint when it is not within `timeout_s`."""
    end = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        drill = client.get(f"/drills/{drill_id}")
        report(drill)
        if drill["state"] in until:
            return drill
        if end is not None and time.monotonic() >= end:
            raise Complaint("timed_out", f"drill {drill_id} is still in state {drill['state']}")
        sleep(POLL_S)


@contextmanager
def reporter(stream: TextIO) -> Iterator[Report]:
    """The graph as a table that is drawn anew; silence where nobody looks."""
    if not stream.isatty():
        yield lambda _drill: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=stream), transient=True, auto_refresh=False) as live:
        yield lambda drill: live.update(table_of(drill), refresh=True)


def table_of(drill: "Json") -> "Table":
    """What the terminal shows of a drill."""
    from rich.table import Table

    title = f"drill {drill['id']} of {drill['name']}: {drill['state']} {drill['verdict'] or ''}".strip()
    table = Table(title=title, title_justify="left")
    for column in ("part", "after", "state", "begun", "servers up", "answered", "why"):
        table.add_column(column)
    for part in drill["parts"]:
        look = _LOOKS.get(part["state"], "")
        words = f"[{look}]{part['state']}[/{look}]" if look else part["state"]
        times = [_seconds(part[key]) for key in ("begun_s", "active_s", "answered_s")]
        table.add_row(part["name"], ", ".join(part["needs"]), words, *times, part["why"])
    return table


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s"
