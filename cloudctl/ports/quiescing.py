"""Holding still what writes inside servers, for the moment in which snapshots are taken."""

from collections.abc import Sequence
from typing import Protocol


class Quiescing(Protocol):
    """Freezes the databases and file systems of servers, and thaws them.

    An implementation sets a timer inside each server that thaws it after `hold_s` by itself: no crash of
    ours, and no lost connection, leaves a server frozen.
    """

    def freeze(self, site_id: str, server_ids: Sequence[str], point_id: str, hold_s: float) -> bool:
        """Hold all of them; again changes nothing. False when one of them could not be held: then none is.

        A server that cannot be reached, or that cloudctl may not come into, could not be held: the point is
        then `crash-per-volume` (or `single`), and says so. File systems on data volumes are held, never the
        root's: nobody could log in to thaw.
        """

    def thaw(self, site_id: str, server_ids: Sequence[str], point_id: str) -> bool:
        """Let them go; not held is fine. True when every one of them had been held until now."""


class NoQuiescing:
    """Holds nothing: what is taken is what a power cut would have left."""

    def freeze(self, site_id: str, server_ids: Sequence[str], point_id: str, hold_s: float) -> bool:
        return False

    def thaw(self, site_id: str, server_ids: Sequence[str], point_id: str) -> bool:
        return False
