"""The end of a move: people are at the new site; what that took and cost is known; somebody commits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from cloudctl.lifecycle import FailoverState
from cloudctl.notices import tell
from cloudctl.operations import Run
from dr.failover.job import SUBJECT, MoveJob, enter
from provisioning import administrators

_MOVED = "{plan} runs at {site} now; say by {until} that it stays there: cloudctl dr failover commit {id}"


def close(run: Run, job: MoveJob, commit_window_s: int) -> None:
    """Enter `shifted` with the figures; whoever asked and who administers the site is asked to commit."""
    with run.write() as (uow, _operation):
        row = enter(uow, run, job, "shift")
        if row is None:
            return
        row.commit_until = run.clock.now() + timedelta(seconds=commit_window_s)
        row.rto_s = took_s(row.times, job.is_planned, row.asked_at)
        if row.rpo_s is None and "seconds" in (row.loss or {}):
            row.rpo_s = float(row.loss["seconds"])
        people = {row.asked_by, *administrators.of_site(uow, row.to_site_id)}
        params = {"plan": job.group, "site": row.to_site_id, "id": row.id,
                  "until": row.commit_until.isoformat(timespec="minutes")}  # fmt: skip
        tell(uow, run.clock, people, _MOVED, params, (SUBJECT, row.id), needs_action=True)


def took_s(times: Mapping[str, str], is_planned: bool, asked_at: datetime) -> float:
    """Pure: how long nobody was served: to the shift, from the drain when planned, else from the asking."""
    begun = times.get(FailoverState.DRAINED) if is_planned else None
    began_at = datetime.fromisoformat(begun) if begun else asked_at
    return (datetime.fromisoformat(times[FailoverState.SHIFTED]) - began_at).total_seconds()


def segments(times: Mapping[str, str]) -> dict[str, float]:
    """Pure: seconds from each state to the next, by the state that was reached, in the order of time."""
    in_order = sorted(times.items(), key=lambda one: one[1])
    return {
        after: (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
        for (_, since), (after, until) in pairwise(in_order)
    }
