"""Three states of the same tables: as a site began to work alone, as it has them now, as the home has them.

Pure. What the site changed and the home did not can be taken; what both changed is a conflict,
which people decide.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dr.alone.rows import Columns, Rows, Tables, mark

Marks = Mapping[str, Mapping[str, str]]
ADDED, CHANGED, REMOVED = "added", "changed", "removed"


@dataclass(frozen=True)
class Difference:
    """One row that the site added, changed or removed since it works alone."""

    table: str
    key: str
    what: str
    is_conflict: bool  # the home has another row under that key, or changed it as well
    row: Columns  # as the site has it; removed: as the home has it


def differences(marks: Marks, theirs: Tables, ours: Tables) -> list[Difference]:
    """What the site did to each row that both do not have the same of, in the order of table and key."""
    found: list[Difference] = []
    for table in sorted(theirs):
        found += _of_table(table, marks.get(table, {}), theirs[table], ours.get(table, {}))
    return found


def _of_table(table: str, marks: Mapping[str, str], theirs: Rows, ours: Rows) -> Iterator[Difference]:
    for key in sorted({*theirs, *marks}):
        row, own, was = theirs.get(key), ours.get(key), marks.get(key)
        if row is None:
            if own is not None:
                yield Difference(table, key, REMOVED, mark(own) != was, own)
        elif mark(row) != was and row != own:
            if was is None:
                yield Difference(table, key, ADDED, own is not None, row)
            else:
                yield Difference(table, key, CHANGED, own is None or mark(own) != was, row)
