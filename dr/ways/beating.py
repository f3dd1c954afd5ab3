"""The beat of what is replicated: a moment, written behind the last write at the source again and again.

The newest beat that has arrived in a copy says how far it is behind, also when the source is gone. Any number
of workers may beat: a beat that comes late makes the lag greater than it is, never less.
"""

import logging

from cloudctl.core import Core
from cloudctl.errors import StorageRefused, StorageUnavailable
from cloudctl.lifecycle import PlanState
from cloudctl.models import ProtectionPlan
from cloudctl.ports import Replication
from dr.plans.document import Way, of_json
from dr.plans.facts import servers_at
from dr.plans.likeness import is_called
from dr.ways import replication as way

log = logging.getLogger(__name__)


def beat_all(core: Core, replication: Replication) -> int:
    """One beat for each volume of the replicated parts of all plans; for how many it was written.

    A volume that is not primary where the plan says that it runs is left alone: it moves, or somebody has
    moved it. A storage that does not answer stops the beats of that site for this time.
    """
    told = 0
    for site, volumes in _volumes(core).items():
        try:
            told += sum(_beat(core, replication, site, one) for one in volumes)
        except StorageUnavailable as error:
            log.warning("no beats at %s: %s", site, error.text())
    return told


def _volumes(core: Core) -> dict[str, list[str]]:
    """Cinder's ids by the site where the systems run, each once."""
    found: dict[str, dict[str, None]] = {}
    with core.store.read() as uow:
        for plan in uow.all(ProtectionPlan, ProtectionPlan.state != PlanState.RETIRED):
            parts = [one for one in of_json(plan.document).parts if one.way is Way.REPLICATION]
            if not parts:
                continue
            names = [name for part in parts for name in part.servers]
            for server in servers_at(uow, plan.system_id, plan.active_site_id):
                if any(is_called(server.name, server.label, name) for name in names):
                    ids = {one.external_id: None for one in server.volumes if one.external_id}
                    found.setdefault(plan.active_site_id, {}).update(ids)
    return {site: list(volumes) for site, volumes in found.items()}


def _beat(core: Core, replication: Replication, site: str, volume_id: str) -> bool:
    try:
        way.beat(replication, site, [volume_id], core.clock.now())
    except StorageRefused as error:
        log.debug("no beat for %s: %s", volume_id, error.text())
        return False
    return True
