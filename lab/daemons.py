"""Brings the daemons of a site up and down by layer."""

from collections.abc import Sequence
from pathlib import Path

from lab import extras, hypervisor, namespaces, probes, processes
from lab.errors import LabError
from lab.layout import Layout
from lab.services import Service
from lab.sites import Site

_ANSWER_S = 120
#: One that ran before and does not answer for so long hangs.
_HANGS_S = 45
_USERS = ("identity", "control", "guests")


class Daemons:
    """The daemons of one site: their records are the truth, /proc the witness."""

    def __init__(self, layout: Layout, plan: Site) -> None:
        self._plan = plan
        self._site = layout.site(plan)
        self.all = extras.daemons_at(layout, plan)

    def named(self, name: str) -> Service:
        return next(service for service in self.all if service.name == name)

    def start(self, *names: str) -> None:
        """Starts those that do not run, or run with another configuration, and waits until they answer.

        One that ran already and does not answer hangs, and is started anew.
        """
        chosen = [self.named(name) for name in names]
        ran_before = [service for service in chosen if not self._ensure_started(service)]
        for service in chosen:
            if service in ran_before and not self._answers(service, _HANGS_S):
                self._restart(service)
            if not self._answers(service, _ANSWER_S):
                self._complain(service)

    def start_layer(self, layer: str) -> None:
        self.start(*(service.name for service in self.all if service.layer == layer))

    def stop(self) -> None:
        """Stops all daemons: first those that use the others, then the rest, each time all at once.

        The power of real guests goes between the two: Nova must not see it, or it would leave them off.
        """
        self._stop([service for service in self.all if service.layer in _USERS])
        if self._has_machines:
            hypervisor.power_off(self._plan)
        self._stop([service for service in self.all if service.layer not in _USERS])

    def stop_guests(self) -> None:
        """Stops what runs guests, and the guests."""
        self._stop([service for service in self.all if service.layer == "guests"])
        if self._has_machines:
            hypervisor.power_off(self._plan)
        self._stop([service for service in self.all if service.layer == "machines"])

    @property
    def _has_machines(self) -> bool:
        return any(service.layer == "machines" for service in self.all)

    def _stop(self, chosen: Sequence[Service]) -> None:
        processes.stop_together([(self._site.record(service.name), service.stop_s) for service in chosen])

    def kill_strays(self) -> None:
        """Kills whatever still runs inside the site's network, started by us or not."""
        processes.kill_all(lambda: namespaces.pids_inside(self._plan))

    def _ensure_started(self, service: Service) -> bool:
        """Starts the daemon unless it runs with its present configuration; True if it had to be started."""
        path = self._site.record(service.name)
        record = processes.read_record(path)
        if record is None:
            self._start(service)
        elif not processes.is_alive(record) or record.digest != processes.digest_of(service):
            self._restart(service)
        else:
            return False
        return True

    def _restart(self, service: Service) -> None:
        # Also when its leader was killed: workers it left would hold the port or answer with half a mind.
        processes.stop_together([(self._site.record(service.name), service.stop_s)])
        self._start(service)

    def _start(self, service: Service) -> None:
        if service.socket is not None:
            service.socket.unlink(missing_ok=True)
        processes.start(service, self._plan.namespace, self._site.record(service.name), self._log(service))

    def _answers(self, service: Service, within_s: float) -> bool:
        """Waits for an answer; False if there is none in time or the daemon has ended."""
        path = self._site.record(service.name)

        def settled() -> bool:
            return not processes.is_alive(processes.read_record(path)) or probes.answers(service, self._plan)

        answered = processes.wait_until(settled, timeout_s=within_s, pause_s=0.2)
        return answered and processes.is_alive(processes.read_record(path))

    def _complain(self, service: Service) -> None:
        alive = processes.is_alive(processes.read_record(self._site.record(service.name)))
        what = f"does not answer after {_ANSWER_S} s" if alive else "ended soon after its start"
        raise LabError(f"{service.name} {what}; log: {self._log(service)}")

    def _log(self, service: Service) -> Path:
        return self._site.log / f"{service.name}.log"
