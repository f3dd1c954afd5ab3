"""The home is back: what a site did alone is shown, and what cannot be wrong is taken.

Taken are the moves with their approvals, the servers and volumes that they made, the shares of traffic, and
where each plan runs, which is what the witness says and not what the site believes. Nothing is written over
that the home changed as well: such rows are conflicts, and all that is not taken is listed. The same again
takes what is new since.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloudctl import mirror, notices
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import Refused
from cloudctl.mirror import Mirrored
from cloudctl.models import (
    AloneMerge,
    Failover,
    FailoverApproval,
    ProtectionPlan,
    Resource,
    SiteExport,
)
from cloudctl.observing import standby_of
from cloudctl.ports import Register, Stores, Witness
from cloudctl.store import UnitOfWork
from dr.alone import tables
from dr.alone.differing import ADDED, CHANGED, Difference, differences
from dr.alone.importing import Found, Opening, read
from dr.alone.merged import newest_merged
from dr.alone.rows import Columns, Tables, mark
from dr.alone.sealing import HOME
from dr.keyring import Keyring

Json = dict[str, Any]
SUBJECT = "alone_merge"
RIGHT = "database.confirm"  # people who answer for the whole installation
MADE = "alone"  # in `made` of a move: which site did it, and its number there
_MOVES = ("failover", "failover_approval")
_TAKEN = ("resource", "traffic")
_BY_WITNESS = frozenset({"active_site_id", "epoch"})
_MOST_SHOWN = 500
BOTH, NAME_TAKEN, LACKING = "both_changed", "name_taken", "lacking"  # why something is a conflict
NO_PLAN, OTHER_HOLDER = "no_plan", "other_holder"
Reads = Callable[[str], Register | None]


@dataclass
class Merge:
    """What a merge would do, or did."""

    moves: list[Json] = field(default_factory=list)
    taken: list[Json] = field(default_factory=list)
    plans: list[Json] = field(default_factory=list)
    conflicts: list[Json] = field(default_factory=list)
    left: list[Json] = field(default_factory=list)

    def told(self) -> Json:
        """As API and CLI tell it."""
        left = self.left[:_MOST_SHOWN]
        return {"moves": self.moves, "taken": self.taken, "plans": self.plans, "conflicts": self.conflicts,
                "left": left, "left_count": len(self.left)}  # fmt: skip


def merge_from(
    core: Core,
    actor: Actor,
    stores: Stores,
    keyring: Keyring,
    witness: Witness | None,
    site: str,
    is_dry: bool = True,
) -> Json:
    """Read what the site put into its vault, ask the witness, and `merge`. Needs database.confirm.

    Refused where there is no witness: nobody else knows where a plan runs.
    """
    actor.must(RIGHT)
    if witness is None:
        raise Refused("this installation has no witness.yaml")
    signers, installation = keyring.trusted(), core.settings.installation
    opened = Opening(installation, signers, site, HOME, lambda head: keyring.take(head.boxed))
    found = read(stores, opened, site)
    return merge(core, actor, found, registers(core, witness.read, found), is_dry)


def registers(core: Core, reads: Reads, found: Found) -> dict[str, Register | None]:
    """What the witness says of every plan that the site has an opinion of; outside of any transaction.

    WitnessUnavailable: without it nobody knows where a plan runs, and nothing is merged.
    """
    with core.store.read() as uow:
        ours = {plan.name: plan for plan in uow.all(ProtectionPlan)}
    theirs = {row["name"]: row for row in found.content["tables"]["protection_plan"].values()}
    moved = [name for name, row in theirs.items() if name in ours and _is_elsewhere(ours[name], row)]
    return {name: reads(name) for name in sorted(moved)}


def merge(
    core: Core, actor: Actor, found: Found, said: Mapping[str, Register | None], is_dry: bool = False
) -> Json:
    """Merge an export of a site that worked alone, or (`is_dry`) only show what would be done.

    `state`: possible, merged, nothing. Refused at a standby, and for what is no export of a time alone.
    Needs database.confirm for the whole installation.
    """
    actor.must(RIGHT)
    if found.head.alone_at is None:
        raise Refused("{site} did not work alone", site=found.head.by)
    if is_dry:
        with core.store.read() as uow:
            done = _Merging(core, uow, found, said, is_dry=True).run()
            return {**_head(core, found), "state": _state(done, is_dry), **done.told()}
    with core.store.write() as uow:
        done = _Merging(core, uow, found, said, is_dry=False).run()
        row = _record(core, uow, actor, found, done)
        return {**_head(core, found), "id": row.id, "state": _state(done, is_dry), **done.told()}


class _Merging:
    """One merge in one transaction."""

    def __init__(
        self, core: Core, uow: UnitOfWork, found: Found, said: Mapping[str, Register | None], is_dry: bool
    ) -> None:
        if standby_of(uow) is not None:
            raise Refused("this is a standby: what a site did alone is merged at the home")
        self._core, self._uow, self._said, self._is_dry = core, uow, said, is_dry
        self._site, self._sequence = found.head.by, found.head.sequence
        self._theirs: Tables = tables.settled(found.content["tables"])
        self._marks = found.content["marks"]
        self._specs = {one.name: one for one in tables.KEPT}
        ours, _going = tables.at_rest(mirror.read(uow, tables.KEPT))
        self._ours = tables.settled(ours)
        self._known = {name: {row[self._key(name)] for row in rows.values()}
                       for name, rows in self._ours.items()}  # fmt: skip
        self._is_again = newest_merged(uow).get(self._site) == found.head.tables_sha256
        self._done = Merge()

    def _key(self, table: str) -> str:
        return str(next(iter(self._specs[table].table.primary_key)).name)

    def run(self) -> Merge:
        """All of it, in an order in which what is named is there before what names it."""
        self._moves()
        for one in differences(self._marks, self._theirs, self._ours):
            if one.table in (*_MOVES, "token"):  # people sign in at both
                continue
            if one.table == "protection_plan":
                self._plan(one)
                continue
            why = self._why_not(one) if one.table in _TAKEN else _both(one)
            if why:
                self._done.conflicts.append({**_line(one), "why": why})
            elif one.table in _TAKEN:
                if not (self._is_again and one.what == CHANGED):  # else the home has changed it back
                    self._take(one)
            else:
                self._done.left.append(_line(one))
        self._active()
        return self._done

    # -- moves

    def _moves(self) -> None:
        """By their owner, which is theirs alone; their numbers are the home's own."""
        marks = self._marks.get("failover", {})
        for key, row in sorted(self._theirs["failover"].items()):
            if mark(row) == marks.get(key):
                continue
            known = self._uow.first(Failover, Failover.owner == row["owner"])
            if known is None:
                self._add_move(row)
            elif ((known.made or {}).get(MADE) or {}).get("site") == self._site:
                self._renew_move(known, row)

    def _add_move(self, row: Columns) -> None:
        plan = self._uow.get(ProtectionPlan, row["plan_id"])
        if plan is None or plan.name != row["plan"].get("name"):
            self._done.conflicts.append({**self._move(row), "why": NO_PLAN})
            return
        told = {**self._move(row), "what": "added"}
        self._done.moves.append(told)
        if self._is_dry:
            return
        more = {MADE: {"site": self._site, "id": row["id"], "sequence": self._sequence}}
        columns = {name: value for name, value in row.items() if name != "id"}
        made = Failover(**_typed(columns, Failover))
        made.made = {**(row["made"] or {}), **more}
        added = self._uow.add(made)
        told["id"] = added.id
        self._approvals(row["id"], added.id)

    def _renew_move(self, known: Failover, row: Columns) -> None:
        if known.state == row["state"] and str(known.ended_at) == str(_time(row["ended_at"])):
            return
        self._done.moves.append({**self._move(row), "id": known.id, "what": "renewed"})
        if not self._is_dry:
            keep = {"id", "plan_id", "owner", "made", "plan"}
            for name, value in _typed({k: v for k, v in row.items() if k not in keep}, Failover).items():
                setattr(known, name, value)
            self._approvals(row["id"], known.id)

    def _approvals(self, theirs: int, ours: int) -> None:
        for row in self._theirs["failover_approval"].values():
            is_mine = row["failover_id"] == theirs
            here = (FailoverApproval.failover_id == ours, FailoverApproval.user_id == row["user_id"])
            if is_mine and not self._uow.count(FailoverApproval, *here):
                columns = {name: value for name, value in row.items() if name != "id"}
                self._uow.add(FailoverApproval(**_typed({**columns, "failover_id": ours}, FailoverApproval)))

    def _move(self, row: Columns) -> Json:
        said = self._theirs["failover_approval"].values()
        approved_by = sorted(one["user_id"] for one in said if one["failover_id"] == row["id"])
        glass = [row["glass"][one]["user"] for one in ("first", "second") if one in (row["glass"] or {})]
        return {"id": None, "name": row["plan"].get("name"), "state": row["state"], "table": "failover",
                "kind": row["kind"], "from_site": row["from_site_id"], "site": row["to_site_id"],
                "epoch": row["epoch"], "asked_by": row["asked_by"], "asked_at": row["asked_at"],
                "approved_by": approved_by, "glass_broken_by": glass, "ended_at": row["ended_at"],
                "alone_id": row["id"]}  # fmt: skip

    # -- plans

    def _plan(self, one: Difference) -> None:
        """Only what the witness does not decide is a difference."""
        own = self._ours["protection_plan"].get(one.key)
        names = [name for name in one.row if own is None or one.row[name] != own[name]]
        if one.what != CHANGED or set(names) - _BY_WITNESS:
            told = {**_line(one), "columns": sorted(set(names) - _BY_WITNESS)}
            if one.is_conflict:
                self._done.conflicts.append({**told, "why": BOTH})
            else:
                self._done.left.append(told)

    def _active(self) -> None:
        """Every plan runs where the witness says; where that is not what the site says, people are told."""
        theirs = {row["name"]: row for row in self._theirs["protection_plan"].values()}
        for name, now in self._said.items():
            row = theirs[name]
            plan = self._uow.first(ProtectionPlan, ProtectionPlan.name == name)
            assert plan is not None
            told = {"id": plan.id, "name": name, "state": str(plan.state), "table": "protection_plan"}
            if now is None or not now.is_open or now.holder != row["active_site_id"]:
                more = {"holder": now.holder if now else None, "site": row["active_site_id"]}
                self._done.conflicts.append({**told, **more, "why": OTHER_HOLDER})
                continue
            if plan.active_site_id == now.holder and plan.epoch == now.epoch:
                continue
            self._done.plans.append({**told, "from_site": plan.active_site_id, "site": now.holder,
                                     "epoch": now.epoch})  # fmt: skip
            if not self._is_dry:
                row_ = self._uow.for_update(ProtectionPlan, plan.id)
                row_.active_site_id, row_.epoch = now.holder, now.epoch
                row_.seen_at = None  # the next round of looks judges it the other way round

    # -- what moves made

    def _why_not(self, one: Difference) -> str:
        if one.is_conflict or one.what not in (ADDED, CHANGED):
            return BOTH
        if one.table == Resource.__tablename__ and one.what == ADDED:
            same = (Resource.site_id == one.row["site_id"], Resource.kind == one.row["kind"])
            if self._uow.count(Resource, *same, Resource.name == one.row["name"]):
                return NAME_TAKEN
        named = mirror.references(self._specs[one.table])
        lacking = [column for column, table in named.items()
                   if one.row[column] is not None and one.row[column] not in self._known[table]]  # fmt: skip
        return LACKING if lacking else ""

    def _take(self, one: Difference) -> None:
        self._done.taken.append(_line(one))
        if self._is_dry:
            return
        spec: Mirrored = self._specs[one.table]
        if one.what == CHANGED:
            mirror.update(self._uow, spec, one.row)
        else:
            mirror.insert(self._uow, spec, one.row)


def _record(core: Core, uow: UnitOfWork, actor: Actor, found: Found, done: Merge) -> AloneMerge:
    head = found.head
    assert head.alone_at is not None
    row = uow.add(
        AloneMerge(
            site_id=head.by, sequence=head.sequence, tables_sha256=head.tables_sha256,
            alone_at=head.alone_at, merged_at=core.clock.now(), merged_by=actor.user_id, report=done.told(),
            events=list(found.content["events"]),
        )
    )  # fmt: skip
    events = found.content["events"]
    details = {"site": head.by, "sequence": head.sequence, "body_sha256": head.body_sha256,
               "moves": len(done.moves), "conflicts": len(done.conflicts), "left": len(done.left),
               "last_event": [events[-1]["seq"], events[-1]["hash"]] if events else None}  # fmt: skip
    core.audit.record(uow, actor.user_id, "alone.merge", SUBJECT, row.id, details, actor.trace_id)
    for one in done.moves:
        more = {"site": head.by, "plan": one["name"], "state": one["state"], "asked_by": one["asked_by"],
                "approved_by": one["approved_by"]}  # fmt: skip
        core.audit.record(uow, actor.user_id, "alone.merge_move", "failover", one["id"], more, actor.trace_id)
    notices.settle(uow, core.clock, (SiteExport.__tablename__, head.by))
    return row


def _head(core: Core, found: Found) -> Json:
    head = found.head
    age_s = (core.clock.now() - head.seen_at).total_seconds()
    return {"id": None, "name": head.by, "source": found.source, "alone_at": head.alone_at,
            "seen_at": head.seen_at, "age_s": age_s, "sequence": head.sequence,
            "events": found.content["events"]}  # fmt: skip


def _state(done: Merge, is_dry: bool) -> str:
    if not is_dry:
        return "merged"
    return "possible" if done.moves or done.taken or done.plans else "nothing"


def _both(one: Difference) -> str:
    return BOTH if one.is_conflict else ""


def _line(one: Difference) -> Json:
    name = one.row.get("name") or one.key
    return {"id": one.key, "name": str(name), "state": one.what, "table": one.table}


def _is_elsewhere(plan: ProtectionPlan, row: Columns) -> bool:
    return (plan.active_site_id, plan.epoch) != (row["active_site_id"], row["epoch"])


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _typed(columns: Columns, model: Any) -> Columns:
    return mirror.typed(Mirrored(model), columns)
