"""Keeping servers of a project from going on, and letting them go on again.

Errors and habits are those of `cloudctl.ports.cloud`.
"""

from typing import Protocol


class StoppingInProject(Protocol):
    """Servers and their ports within one project."""

    def stop_server(self, server_id: str) -> None:
        """Start shutting it down, as its power button does, by force where that has no effect. Off already or
        gone is fine. CloudBusy while something else is done with it."""

    def start_server(self, server_id: str) -> None:
        """Start one that is off; runs already is fine. CloudNotFound when it is gone; CloudBusy as above."""

    def set_port_up(self, port_id: str, *, is_up: bool) -> None:
        """Let packets through, or none at all; again changes nothing, gone is fine where none shall pass. Its
        `status` is DOWN once the network does so, which may be a moment later."""
