"""How far behind the databases of plans are: asked every minute, written down beside the plan."""

import logging
from datetime import timedelta
from typing import Any

from cloudctl.core import Core
from cloudctl.lifecycle import PlanState
from cloudctl.models import ProtectionPlan
from dr.plans import copies
from dr.plans import databases as in_plans
from dr.plans.copies import Copy
from dr.plans.document import Document, Part, of_json
from dr.ways import databases, streaming
from dr.ways.databases import Databases

log = logging.getLogger(__name__)

EVERY_S = 60


def look_due(core: Core, asked: Databases, every_s: int = EVERY_S) -> list[str]:
    """Look at the databases of every plan whose turn it is; the names of those plans.

    Any number of workers may call it: the turn is taken by a guarded update. Trouble with one stops no other.
    """
    now = core.clock.now()
    its_turn = ProtectionPlan.copies_at.is_(None) | (
        ProtectionPlan.copies_at <= now - timedelta(seconds=every_s)
    )
    with core.store.read() as uow:
        rows = uow.all(ProtectionPlan, ProtectionPlan.state != PlanState.RETIRED, its_turn)
        due = [row.id for row in rows if in_plans.of(of_json(row.document))]
    looked = []
    for plan_id in due:
        with core.store.write() as uow:
            if not uow.update(ProtectionPlan, ProtectionPlan.id == plan_id, its_turn, copies_at=now):
                continue
        try:
            looked.append(look(core, asked, plan_id))
        except Exception:  # the plans after this one are looked at all the same
            log.exception("no look at the databases of plan %s", plan_id)
    return looked


def look(core: Core, asked: Databases, plan_id: int) -> str:
    """Look at the databases of one plan now and write it down; its name."""
    with core.store.read() as uow:
        plan = uow.need(ProtectionPlan, plan_id)
        document, source = of_json(plan.document), plan.active_site_id
    target = document.recovery if source == document.home else document.home
    seen = {
        name: _look(core, asked, document, part, source, target)
        for name, part in in_plans.of(document).items()
    }
    with core.store.write() as uow:
        row = uow.for_update(ProtectionPlan, plan_id)
        if row.active_site_id != source:
            return row.name  # it moved meanwhile: what was seen is of another direction
        before = {name: copies.of_json(one) for name, one in (row.copies or {}).items()}
        row.copies = {name: copies.after(before.get(name), one).as_json() for name, one in seen.items()}
        row.copies_at = core.clock.now()
        return row.name


def _look(core: Core, asked: Databases, document: Document, part: Part, source: str, target: str) -> Copy:
    with core.store.read() as uow:
        pair, faults = databases.find(uow, document, part)
    if faults:
        return Copy(core.clock.now(), False, problem="; ".join(one.text() for one in faults))
    return streaming.copy_of(asked.look(pair), source, target, core.clock.now())


def rows(plan: ProtectionPlan, core: Core) -> list[dict[str, Any]]:
    """What was seen last of each database, for people; one that nobody looked at yet is `unknown`."""
    document, now = of_json(plan.document), core.clock.now()
    found = []
    for number, (name, part) in enumerate(in_plans.of(document).items(), 1):
        assert part.database is not None
        row, servers = (plan.copies or {}).get(name), part.database.servers
        copy = None if row is None else copies.of_json(row)
        state = "unknown" if copy is None else "streaming" if copy.is_streaming else "broken"
        found.append({
            "id": f"{plan.id}-{number}", "name": name, "state": state,
            "writes": servers.get(plan.active_site_id),
            "follows": next(one for site, one in servers.items() if site != plan.active_site_id),
            "behind_s": None if copy is None else copies.behind_s(copy, now),
            "behind_bytes": None if copy is None else copy.behind_bytes,
            "problem": "" if copy is None else copy.problem,
            "seen_at": None if copy is None else copy.at,
        })  # fmt: skip
    return found
