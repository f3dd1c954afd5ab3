"""How moments are told to scripts."""

from datetime import datetime


def iso(moment: datetime | None) -> str | None:
    """The moment in ISO 8601 with its zone; None stays None."""
    return moment.isoformat() if moment is not None else None
