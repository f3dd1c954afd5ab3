"""Who has to say yes to a move, and whether they have. Pure.

Two people, never whoever asked, each for the very plan that is carried out. Two people of different roles
who break the glass stand for them, and for the evidence and the fence that could not be had; what they do
is disputed from then on.
"""

from collections.abc import Iterable, Sequence

from cloudctl.actors import Role
from cloudctl.models import FailoverApproval
from dr.failover.job import MoveJob

NEEDED = 2


def counted(approvals: Iterable[FailoverApproval], plan_sha256: str, asked_by: str) -> set[str]:
    """The people whose word counts for this plan."""
    return {one.user_id for one in approvals if one.plan_sha256 == plan_sha256 and one.user_id != asked_by}


def enough(job: MoveJob) -> bool:
    """Whether what is about to be done is what two people meant."""
    row = job.failover
    if job.is_glass_broken:
        said = [row.glass[one] for one in ("first", "second")]
        is_bound = all(one["plan_sha256"] == row.plan_sha256 and one["user"] != row.asked_by for one in said)
        return is_bound and said[0]["user"] != said[1]["user"] and said[0]["role"] != said[1]["role"]
    return len(counted(job.approvals, row.plan_sha256, row.asked_by)) >= NEEDED


def other_role(held: Sequence[Role], taken: str | None) -> Role | None:
    """The role in which somebody breaks the glass: one that the first did not have."""
    return next((one for one in held if one.value != taken), None)
