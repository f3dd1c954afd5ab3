"""The ladder of proof: L0 exists, L1 read back, L2 restored and equal, L3 boots, L4 answers. Pure."""

LEVELS = ("L0", "L1", "L2", "L3", "L4")
HOUR_S, DAY_S = 3600, 86_400


def reaches(level: str | None, wanted: str) -> bool:
    """Whether a point proved to `level` is proved to what is wanted; None: nothing was proved."""
    return level is not None and LEVELS.index(level) >= LEVELS.index(wanted)
