"""An application in memory, for tests: keeps what was written, until it is told to lose some of it."""

import json
from dataclasses import dataclass, field

from cloudctl.errors import ApplicationUnavailable


@dataclass
class FakeApplication:
    """Every URL writes to one table and reads it."""

    records: list[str] = field(default_factory=list)
    is_up: bool = True
    is_deaf: bool = False  # it takes what is written, and its answers are lost

    def write(self, url: str, record: bytes) -> None:
        if self.is_up:
            self.records.append(json.dumps(json.loads(record)))
        if not self.is_up or self.is_deaf:
            raise ApplicationUnavailable("{url} did not answer: {detail}", url=url, detail="timed out")

    def read(self, url: str) -> str:
        if not self.is_up:
            raise ApplicationUnavailable("{url} did not answer: {detail}", url=url, detail="timed out")
        return f"[{','.join(self.records)}]"

    def lose(self, newest: int) -> None:
        """The newest so many records are gone, as after a fault."""
        del self.records[len(self.records) - newest :]
