"""Killing daemons of the lab for good: a test goes on when the lab itself sees that they have ended."""

import os
import signal

from lab import Lab
from lab.processes import wait_until


def kill(lab: Lab, *daemons: tuple[str, str]) -> None:
    """Kills the daemons (site, service) with SIGKILL and waits until each has ended.

    A big process takes seconds to give its memory back and counts as running until then: without this
    wait the next `up` may take it for alive.
    """
    pids = {(row.site, row.service): row.pid for row in lab.status()}
    for daemon in daemons:
        os.kill(pids[daemon] or 0, signal.SIGKILL)

    def alive() -> list[tuple[str, str]]:
        states = {(row.site, row.service): row.state for row in lab.status()}
        return [daemon for daemon in daemons if states[daemon] != "failed"]

    assert wait_until(lambda: not alive(), timeout_s=60), f"killed and still there: {alive()}"
