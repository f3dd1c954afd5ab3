"""Two people let a site's cloudctl work alone, and one lets it stand by again when all of it was merged.

Working alone decides about no writer: who may write is what the witness says, here as at the home. What the
home was in the middle of is not carried on; what was only asked for there becomes a request of this site's,
so that two installations never drive one move.
"""

from datetime import datetime, timedelta
from typing import Any

from cloudctl import mirror, notices
from cloudctl.actors import Actor
from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, Refused, SecondPersonNeeded, WrongState
from cloudctl.lifecycle import FailoverState
from cloudctl.models import AuditHead, Failover, Operation, Standby, User
from cloudctl.observing import ALONE, STANDING_BY
from cloudctl.operations import OPEN
from cloudctl.store import UnitOfWork
from dr.alone import tables
from dr.alone.importing import standby_in
from dr.alone.rows import mark
from dr.alone.sealing import Head
from dr.alone.showing import standby_row
from provisioning import administrators

Json = dict[str, Any]
NEEDED = 2
SILENT_S = 120.0  # so long the home has to have said nothing
WORD_LASTS = timedelta(hours=1)
_MOST_REASON = 1000
SUBJECT = "standby"
_ASKED = "{who} says that {site} has to work alone: {reason}; another person has to say so too"


def take_over(core: Core, actor: Actor, reason: str) -> Json:
    """Say that the home is lost and this site works alone; the second person makes it so. How it stands.

    Call `rounds.take_in_due` before, so that the newest export is in. Refused while the home speaks: whoever
    can still reach it works there. SecondPersonNeeded for whoever said so within the last hour. Needs
    dr.approve at the site.
    """
    with core.store.write() as uow:
        row = uow.for_update(Standby, standby_in(uow).id)
        actor.must("dr.approve", [("site", row.site_id)])
        if row.state != STANDING_BY:
            raise WrongState("{site} works alone already", site=row.site_id)
        said = _text(reason)
        now = core.clock.now()
        _must_be_silent(row, now)
        standing = [one for one in row.confirmations if datetime.fromisoformat(one["at"]) > now - WORD_LASTS]
        if any(one["user"] == actor.user_id for one in standing):
            raise SecondPersonNeeded("you have said so already; another person has to")
        row.confirmations = [*standing, {"user": actor.user_id, "at": now.isoformat(), "reason": said}]
        is_last = len(row.confirmations) >= NEEDED
        if is_last:
            _begin(core, uow, row)
        else:
            params = {"who": actor.user_id, "site": row.site_id, "reason": said}
            notices.tell(
                uow,
                core.clock,
                _others(uow, row.site_id, actor),
                _ASKED,
                params,
                (SUBJECT, row.site_id),
                needs_action=True,
            )
        uow.flush()
        details = {"reason": said, "is_last": is_last, "sequence": (row.head or {}).get("sequence"),
                   "seen_at": row.seen_at.isoformat() if row.seen_at else None}  # fmt: skip
        core.audit.record(uow, actor.user_id, "alone.take_over", SUBJECT, row.site_id, details,
                          actor.trace_id)  # fmt: skip
        return standby_row(row, now)


def stand_by(core: Core, actor: Actor, reason: str, home: Head | None) -> Json:
    """Stand by again: the home is back, and has merged all that was done here; `home` is its newest head.

    Refused before that, and while an operation has not ended. Needs dr.approve at the site.
    """
    with core.store.write() as uow:
        row = uow.for_update(Standby, standby_in(uow).id)
        actor.must("dr.approve", [("site", row.site_id)])
        if row.state != ALONE:
            raise WrongState("{site} stands by", site=row.site_id)
        said = _text(reason)
        if uow.count(Operation, Operation.state.in_(OPEN)):
            raise Refused("something has not ended here: cloudctl operation list")
        if home is None or home.merged_sha256 != _sha256_of(uow):
            hint = "at the home: cloudctl dr merge"
            raise Refused("the home has not merged what was done here last", hint=hint)
        row.state, row.confirmations, row.alone_at, row.marks, row.head = STANDING_BY, [], None, {}, {}
        core.audit.record(uow, actor.user_id, "alone.stand_by", SUBJECT, row.site_id, {"reason": said},
                          actor.trace_id)  # fmt: skip
        uow.flush()
        return standby_row(row, core.clock.now())


def marks_of(uow: UnitOfWork) -> dict[str, dict[str, str]]:
    """A hash of every row that is exported: against them a merge sees what was changed."""
    found, _going = tables.at_rest(mirror.read(uow, tables.KEPT))
    rows_of = tables.settled(found)
    return {name: {key: mark(row) for key, row in rows.items()} for name, rows in rows_of.items()}


# -- the pieces


def _begin(core: Core, uow: UnitOfWork, row: Standby) -> None:
    """Marks first: what is changed here from now on is this site's doing."""
    row.marks, row.state, row.alone_at = marks_of(uow), ALONE, core.clock.now()
    row.audit_seq = _last_event(uow)
    for asked in uow.all(Failover, Failover.state == FailoverState.REQUESTED.value):
        asked.owner = new_id()  # the home may yet carry out its own; the witness takes one of the two
    notices.settle(uow, core.clock, (SUBJECT, row.site_id))


def _others(uow: UnitOfWork, site_id: str, actor: Actor) -> list[str]:
    people = administrators.of_site(uow, site_id)
    return [one for one in people if one != actor.user_id and uow.get(User, one) is not None]


def _last_event(uow: UnitOfWork) -> int:
    head = uow.get(AuditHead, 1)
    return head.seq if head is not None else 0


def _must_be_silent(row: Standby, now: datetime) -> None:
    age_s = (now - row.seen_at).total_seconds() if row.seen_at is not None else None
    if age_s is not None and age_s < SILENT_S:
        raise Refused(
            "the home spoke {age} s ago: it works, and moves are begun there", age=round(age_s),
            hint="if it has to be stopped, stop it there, and wait two minutes",
        )  # fmt: skip


def _sha256_of(uow: UnitOfWork) -> str:
    found, _going = tables.at_rest(mirror.read(uow, tables.KEPT))
    return tables.sha256_of(found)


def _text(reason: str) -> str:
    if not 0 < len(reason.strip()) <= _MOST_REASON:
        raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing or too long")])
    return reason.strip()
