"""An application as its users reach it, over HTTP; one contract suite for every implementation.

No redirect is followed: what is written has to reach the very address that a plan names. All calls may raise
ApplicationUnavailable (it did not answer, or not with 2xx).
"""

from typing import Protocol


class Application(Protocol):
    """Any application."""

    def write(self, url: str, record: bytes) -> None:
        """POST the record, a JSON document; comes back when the application has acknowledged it (2xx)."""

    def read(self, url: str) -> str:
        """The text of a GET. ApplicationUnavailable also for one of more than 64 MiB."""
