"""Checking the audit chain on somebody's behalf."""

from cloudctl.actors import Actor
from cloudctl.audit import Verdict
from cloudctl.core import Core


def verify(core: Core, actor: Actor) -> Verdict:
    """Read the whole chain against its signed heads. NotAllowed without `audit.see`."""
    actor.must("audit.see")
    return core.audit.verify(core.store)
