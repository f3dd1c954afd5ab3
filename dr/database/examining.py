"""Whether a database that was brought back is whole: its own check, its schema, and its audit chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl import dumps
from cloudctl.audit import Audit
from cloudctl.clock import Clock
from cloudctl.errors import Fault
from cloudctl.models import AuditHead
from cloudctl.secrets import Signer, write_private
from cloudctl.store import Store
from dr.database.packing import read_home, write_heads

AUDIT_KEY = "audit.key"


@dataclass(frozen=True)
class Examined:
    """What was found: every fault, and how much there was to look at. Notes do no harm."""

    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    rows: int
    events: int


def examine(store: Store, folder: Path, facts: Mapping[str, Any], clock: Clock) -> Examined:
    """Look at a restored database with nothing but the folder: keys and signed heads are the copy's own.

    Where the facts say that other hosts sign heads too, an event without a head is only a note: theirs are
    not in the copy. Reads the whole chain.
    """
    faults = list(dumps.faults_of(store))
    has, wants = store.schema_version()
    if has != facts.get("schema"):
        params = {"found": str(has), "wanted": str(facts.get("schema"))}
        faults.append(Fault("schema", "other_schema", "it is {found}, the copy says {wanted}", params))
        return Examined(tuple(faults), (), 0, 0)
    if has == wants and store.schema_differences():
        faults.append(Fault("schema", "schema_differs", "the tables are not those of the schema"))
    found, notes, events = _chain(store, folder, facts, clock)
    return Examined((*faults, *found), tuple(notes), dumps.count_rows(store), events)


def _chain(
    store: Store, folder: Path, facts: Mapping[str, Any], clock: Clock
) -> tuple[list[Fault], list[Fault], int]:
    keys = read_home(folder).keys
    if AUDIT_KEY not in keys:
        return [Fault("audit", "no_key", "the key of the audit chain is not in the copy")], [], 0
    key_file, heads = folder / AUDIT_KEY, folder / "audit-heads.jsonl"
    write_private(key_file, keys[AUDIT_KEY])
    write_heads(folder, heads)
    try:
        verdict = Audit(clock, Signer(key_file), heads).verify(store)
    finally:
        key_file.unlink()
    with store.read() as uow:
        head = uow.get(AuditHead, 1)
    has_others = bool(facts.get("has_other_hosts"))
    faults = [one for one in verdict.faults if not (has_others and one.code == "unsigned")]
    notes = [one for one in verdict.faults if one not in faults]
    if (head.seq if head else 0, head.hash if head else "") != (facts["audit_seq"], facts["audit_hash"]):
        faults.append(Fault("audit", "other_end", "the audit chain does not end where the copy says"))
    return faults, notes, verdict.events
