"""The eye inside an isolated network: what it is told to look at, and its words read from a console. Pure.

Its words are bound to a nonce that nobody but it was given; a console holds whatever else a server writes.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from dr.isolated.checks import Check

ROUNDS, PAUSE_S = 720, 5.0
MARK = "cloudctl-probe"


@dataclass(frozen=True)
class Target:
    """A server as the probe looks for it: its name and label, and the address it had."""

    name: str
    label: str
    address: str


@dataclass(frozen=True)
class Question:
    """A check put to one server."""

    check: Check
    target: Target

    @property
    def id(self) -> str:
        return f"{self.check.name.replace('*', self.target.name)}@{self.target.address}"


@dataclass(frozen=True)
class Errand:
    """Everything the probe is to look at. Nothing of `forbidden` may answer."""

    targets: tuple[Target, ...]
    questions: tuple[Question, ...]
    forbidden: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What the probe saw in its last round, and everything that ever answered and must not."""

    round: int
    servers: Mapping[str, str]  # name -> how it showed itself; empty: not
    checks: Mapping[str, tuple[bool, str]]  # id -> passed, what was seen
    answered: Mapping[str, str] = field(default_factory=dict)


def questions(checks: Sequence[Check], targets: Sequence[Target]) -> tuple[list[Question], list[Check]]:
    """Each check put to the servers it is about, and the checks whose server is not there."""
    asked, lost = [], []
    for check in checks:
        about = [one for one in targets if check.server in ("", one.name, one.label)]
        asked += [Question(check, one) for one in about]
        lost += [] if about else [check]
    return asked, lost


def user_data(errand: Errand, nonce: str, rounds: int = ROUNDS, pause_s: float = PAUSE_S) -> str:
    """The script that the server runs at its first start: so many rounds, with a pause after each."""
    task = {
        "nonce": nonce,
        "rounds": rounds,
        "pause_s": pause_s,
        "servers": [{"id": one.name, "address": one.address} for one in errand.targets],
        "checks": [
            {"id": one.id, "address": one.target.address, **one.check.as_json()} for one in errand.questions
        ],
        "forbidden": list(errand.forbidden),
    }
    source = resources.files("dr.isolated").joinpath("probe_script.py").read_text(encoding="utf-8")
    return f"{source}\n\nmain(json.loads({json.dumps(json.dumps(task))}))\n"


def read(console: str, nonce: str) -> Report | None:
    """The newest report in the text of a console; lines that are not bound to the nonce are passed over."""
    newest: Report | None = None
    for line in console.splitlines():
        _, mark, rest = line.partition(f"{MARK} ")
        bound, _, text = rest.strip().partition(" ")
        expected = hmac.new(nonce.encode(), text.encode(), hashlib.sha256).hexdigest()
        if mark and hmac.compare_digest(bound.encode(), expected.encode()):
            report = _report(json.loads(text))
            newest = report if newest is None or report.round >= newest.round else newest
    return newest


def _report(said: Mapping[str, Any]) -> Report:
    return Report(
        int(said["round"]),
        {str(key): str(how) for key, how in said["servers"].items()},
        {str(key): (bool(one[0]), str(one[1])) for key, one in said["checks"].items()},
        {str(key): str(how) for key, how in said["answered"].items()},
    )
