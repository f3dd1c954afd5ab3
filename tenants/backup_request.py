"""What is against a request for a tier of backup: no policy, a tier that is too low, nothing to back up."""

from cloudctl.errors import Fault
from cloudctl.models import InformationSystem, Project
from cloudctl.queries import protection
from cloudctl.store import UnitOfWork
from tenants.draft import Draft
from tenants.register.objections import least_tier


def against(uow: UnitOfWork, draft: Draft, system: InformationSystem, site_id: str) -> list[Fault]:
    """The reasons to refuse the tier for the system at the site; empty when there are none."""
    params: dict[str, object] = {"system": system.id, "site": site_id, "tier": draft.tier}
    found = [*_too_low(draft, system), *_nothing_there(uow, params)]
    if protection.policy_for(uow, draft.tier, site_id) is None:
        template = "no policy of tier {tier} takes data of {site}"
        hint = "the administrators of the cloud make one"
        found.append(Fault("tier", "no_policy", template, params, hint))
    has = protection.policy_of(uow, system.id, site_id)
    if has is not None and has.tier >= draft.tier:
        template = "the system is backed up by the policy {policy} ({tier}) already"
        found.append(Fault("tier", "has_backup", template, {"policy": has.name, "tier": has.tier}))
    return found


def _too_low(draft: Draft, system: InformationSystem) -> list[Fault]:
    is_library = system.basic_library is not None
    least, template = least_tier(
        {
            "is_key_application": system.is_key_application or is_library,
            "has_key_data": system.has_key_data or is_library,
            "mlps_level": system.mlps_level,
        }
    )
    said = int(draft.tier[1:])
    return [Fault("tier", "tier_too_low", template, {"tier": said, "least": least})] if said < least else []


def _nothing_there(uow: UnitOfWork, params: dict[str, object]) -> list[Fault]:
    here = (Project.system_id == params["system"], Project.site_id == params["site"])
    if uow.count(Project, *here, Project.external_id.is_not(None)):
        return []
    template = "the system {system} has no project at {site}: there is nothing to back up"
    return [Fault("site", "nothing_there", template, params)]
