"""Taking systems out of the register as a sheet that can be changed and imported again."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.queries.register import Filter, seen_ids
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork
from tenants import documents
from tenants.register.fields import Record
from tenants.register.history import back, records_at
from tenants.register.standing import read_standing
from tenants.register.workbook import export_csv, export_xlsx

FORMATS = ("xlsx", "csv")
_TITLE = "政务信息系统登记表"


class Sheet(NamedTuple):
    """A file to be saved: its name, its media type, its bytes."""

    name: str
    media_type: str
    content: bytes


def export(core: Core, actor: Actor, form: str, wanted: Filter) -> Sheet:
    """The systems that the actor sees and wants, as `xlsx` or `csv`; as they were on a day when one is named.

    A classified system comes out with its owner, its place and its decision, and nothing else. Importing
    the file changes nothing.
    """
    with core.store.read() as uow:
        seen = Sight(uow, actor, "system.see")
        ids = seen_ids(uow, seen, wanted, None, "")
        records = list(_records(uow, ids, wanted))
    day = wanted.as_of or local_day(core.clock.now())
    name = f"{_TITLE}_{day.isoformat()}.{form}"
    if form == "csv":
        return Sheet(name, documents.CSV, export_csv(records))
    return Sheet(name, documents.XLSX, export_xlsx(records))


def _records(uow: UnitOfWork, ids: Sequence[str], wanted: Filter) -> Iterator[Record]:
    if wanted.moment is not None:
        past = records_at(uow, wanted.moment, ids)
        yield from (past[one] for one in ids if one in past)
        return
    standing = read_standing(uow, ids, is_locked=False)
    yield from (back(standing[one].record, None) for one in ids if one in standing)
