"""The storage as a drill sees it: looked at everywhere, changed only by names that are the drill's own.

A drill makes moments and copies and takes them away again; nothing else that storage can do is its business.
"""

from typing import Any, cast

from cloudctl.errors import Fenced
from cloudctl.ports import Replication

_READING = frozenset({"sites", "replicas", "marked"})
#: The changes that a drill may make, and which of their arguments are names that have to be its own.
_OWN = {
    "moment": slice(2, 3),
    "drop_moment": slice(2, 3),
    "copy_for_drill": slice(2, 4),
    "drop_copy": slice(1, 2),
}


def fenced_storage(replication: Replication, prefix: str) -> Replication:
    """The storage for one drill alone, whose names begin so. Fenced is raised for everything else."""
    return cast("Replication", _FencedStorage(replication, prefix))


class _FencedStorage:
    """Something that is spoken to by its methods; what changes anything is looked at first."""

    def __init__(self, inner: Replication, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in _READING:
            return found

        def change(*args: str) -> None:
            if name not in _OWN:
                raise Fenced("a drill may not call {call}", call=name)
            for own in args[_OWN[name]]:
                if not own.startswith(self._prefix):
                    raise Fenced("image {name} is no copy of the drill's own", name=own)
            found(*args)

        return change
