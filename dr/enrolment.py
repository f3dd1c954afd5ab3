"""The flow of an approved request for a backup: the system joins the policy of its tier and site.

It speaks to no cloud: one transaction, looked at once more right before it is written. A pass that follows a
crash finds the member there and ends the same way.
"""

from cloudctl.errors import CloudctlError, Refused
from cloudctl.lifecycle import Done, Failed, Outcome
from cloudctl.models import BackupPolicy, ServiceRequest
from cloudctl.operations import Run
from cloudctl.queries import protection
from cloudctl.store import UnitOfWork
from dr import policies
from dr.policy_check import check
from dr.policy_facts import facts_of, form_of, members_of
from dr.policy_form import MemberForm

KIND = "enrol"  # of the operation


class Enrol:
    """Flow of the operations that put a system into a policy."""

    def advance(self, run: Run) -> Outcome:
        """Put the system into the policy. Refused when nothing takes it by now, or a vault has no room."""
        with run.write() as (uow, operation):
            request = uow.need(ServiceRequest, int(run.subject_id))
            tier, site = str(request.draft["tier"]), request.site_id
            member = MemberForm(request.system_id, site)
            policy = protection.policy_for(uow, tier, site)
            if policy is None:
                raise Refused("no policy of tier {tier} takes data of {site}", tier=tier, site=site)
            _must_fit(uow, policy, member)
            row = policies.put(uow, run.clock, policy, member)
            told = {"policy": policy.name, "tier": tier, "next_at": row.next_at.isoformat()}
            operation.scratch = {**operation.scratch, "delivered": told}
            run.journal(uow, KIND, "done", policy.name)
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """Nothing was made: it ends as it is."""
        with run.write() as (uow, _operation):
            run.journal(uow, KIND, "failed", error.text())
        return Failed(error)


def _must_fit(uow: UnitOfWork, policy: BackupPolicy, member: MemberForm) -> None:
    """Refused with the first rule that is against it; leaving a lower tier for this one is what it is for."""
    members = list(dict.fromkeys([*members_of(uow, policy), member]))
    found = check(form_of(policy), members, facts_of(uow, members, policy, {policy.id}))
    against = [one for one in found.faults if one.code != "taken"]
    if against:
        raise Refused("{why}", why=against[0].text())
