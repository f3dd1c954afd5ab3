"""What people would see of a system, asked from where they are; one contract suite for all that do it."""

from dataclasses import dataclass
from typing import Protocol

TCP, HTTP, HTTPS = "tcp", "http", "https"


@dataclass(frozen=True)
class Question:
    """One question to one address. tcp: it takes a connection. http, https: a GET gives status and text."""

    kind: str
    address: str
    port: int
    host: str = ""  # the name that is asked for; empty: the address
    path: str = "/"
    status: int = 200
    contains: str = ""


@dataclass(frozen=True)
class Seen:
    """What came of it."""

    is_well: bool
    took_s: float
    detail: str = ""  # why it is not well, in a few words


class Outside(Protocol):
    """Somebody who asks as people do."""

    def ask(self, question: Question, timeout_s: float) -> Seen:
        """What is answered within the time; never raises for what is silent or wrong."""
