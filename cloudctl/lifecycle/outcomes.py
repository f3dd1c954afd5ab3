"""What a step of an operation answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudctl.errors import CloudctlError


@dataclass(frozen=True)
class Done:
    """The operation is finished."""

    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Later:
    """Look again in `seconds`; `why` is shown to whoever watches."""

    seconds: float
    why: str = ""


@dataclass(frozen=True)
class Failed:
    """The operation has ended without its result; all it made is undone."""

    error: CloudctlError


Outcome = Done | Later | Failed
