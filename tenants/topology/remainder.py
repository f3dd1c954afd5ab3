"""What is left of a document without the parts a model refuses, so that the rest is checked too."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from tenants.topology.faults import Finding, Path

_EMPTY: dict[str, Any] = {
    "version": 1,
    "catalogue": {"flavors": [], "images": [], "volume_types": []},
    **{section: [] for section in ("sites", "divisions", "departments", "systems", "quotas", "approvals")},
}


_FORGIVING = ("departments", "systems", "quotas", "approvals")  # a value less makes no other rule fail there


@dataclass
class Lost:
    """What is not in the document because it was refused: nobody should be told that it is missing."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    sections: set[str] = field(default_factory=set)

    def has(self, section: str, id_: str) -> bool:
        return section in self.sections or id_ in self.ids.get(section, ())

    def names(self, section: str) -> set[str]:
        """What was named in the refused parts: still a good guess of what was meant."""
        return self.ids.get(section, set()) - {""}

    def touches(self, section: str) -> bool:
        return section in self.sections or bool(self.ids.get(section))


class Remainder:
    """The document without its refused parts; knows what is lost and where the rest stood."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = deepcopy(dict(document))
        self.lost = Lost()
        self._dropped: dict[Path, set[int]] = {}
        self._origins: dict[Path, list[int]] = {}

    def leave_out_values(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Take out refused values alone; what is optional is then as if it had not been written."""
        for error in errors:
            loc = tuple(one for one in error["loc"] if one != "[key]")
            is_unknown_key = error["type"] == "extra_forbidden"
            if is_unknown_key or (error["type"] != "missing" and loc and loc[0] in _FORGIVING):
                self._forget(loc)

    def leave_out_objects(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Take out the whole object around each error."""
        for error in errors:
            self._take_out(tuple(error["loc"]))
        self._origins = {path: self._shrink(path, indexes) for path, indexes in self._dropped.items()}

    def at_origin(self, finding: Finding) -> Finding:
        """A finding on the remainder, with the path it has in the whole document."""
        path = list(finding.path)
        for index, step in enumerate(path):
            if isinstance(step, int) and (origins := self._origins.get(tuple(path[:index]))):
                path[index] = origins[step]
                break
        return replace(finding, path=tuple(path))

    def _forget(self, loc: Path) -> None:
        with suppress(LookupError, TypeError):
            holder = self._at(loc[:-1])
            if isinstance(holder, dict):
                holder.pop(loc[-1], None)

    def _take_out(self, loc: Path) -> None:
        index = next((at for at, step in enumerate(loc) if isinstance(step, int)), None)
        if index is not None:
            self._drop(loc[:index], loc[index])
        elif loc and loc[0] == "catalogue" and len(loc) > 1 and isinstance(self.data["catalogue"], dict):
            self.data["catalogue"][loc[1]] = []
        elif loc:
            self.data[str(loc[0])] = deepcopy(_EMPTY.get(str(loc[0])))
            self.lost.sections.add(str(loc[0]))

    def _drop(self, path: Path, index: Any) -> None:
        self._dropped.setdefault(path, set()).add(index)
        items = self._at(path)
        item = items[index]
        if isinstance(item, dict):
            for key in ("name", "code"):
                if isinstance(item.get(key), str):
                    self.lost.ids.setdefault(str(path[0]), set()).add(item[key])
        self.lost.ids.setdefault(str(path[0]), set()).add("")

    def _shrink(self, path: Path, dropped: set[int]) -> list[int]:
        items = self._at(path)
        kept = [index for index in range(len(items)) if index not in dropped]
        items[:] = [items[index] for index in kept]
        return kept

    def _at(self, path: Path) -> Any:
        at: Any = self.data
        for step in path:
            at = at[step]
        return at
