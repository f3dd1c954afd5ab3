"""Brings the daemons of a site up and down by layer."""

from collections.abc import Iterable

from lab import namespaces, probes, processes
from lab.errors import LabError
from lab.layout import Layout
from lab.services import LAYERS, Service, services
from lab.sites import Site

_ANSWER_S = 120


class Daemons:
    """The daemons of one site: their records are the truth, /proc the witness."""

    def __init__(self, layout: Layout, plan: Site) -> None:
        self._plan = plan
        self._site = layout.site(plan)
        self.all = services(layout, plan)

    def named(self, name: str) -> Service:
        return next(service for service in self.all if service.name == name)

    def start(self, *names: str) -> None:
        """Starts those that do not run, or run with another configuration, and waits until they answer."""
        chosen = [self.named(name) for name in names]
        for service in chosen:
            self._ensure_started(service)
        for service in chosen:
            self._wait(service)

    def start_layer(self, layer: str) -> None:
        self.start(*(service.name for service in self.all if service.layer == layer))

    def stop(self, services: Iterable[Service] | None = None) -> None:
        """Stops the given daemons, or all of them layer by layer from the top, all of a layer at once."""
        left = list(services if services is not None else self.all)
        for layer in reversed(LAYERS):
            batch = [service for service in left if service.layer == layer]
            processes.stop_together([(self._site.record(s.name), s.stop_s) for s in batch])

    def kill_strays(self) -> None:
        """Kills whatever still runs inside the site's network, started by us or not."""
        processes.kill_all(lambda: namespaces.pids_inside(self._plan))

    def _ensure_started(self, service: Service) -> None:
        path = self._site.record(service.name)
        record = processes.read_record(path)
        if record is not None and processes.is_alive(record):
            if record.digest == processes.digest_of(service):
                return
            processes.stop_together([(path, service.stop_s)])
        elif record is not None:
            # Its leader was killed; workers it left would hold the port or answer with half a mind.
            processes.kill_session(record)
        if service.socket is not None:
            service.socket.unlink(missing_ok=True)
        processes.start(service, self._plan.namespace, path, self._site.log / f"{service.name}.log")

    def _wait(self, service: Service) -> None:
        path = self._site.record(service.name)
        log = self._site.log / f"{service.name}.log"

        def up_or_gone() -> bool:
            return not processes.is_alive(processes.read_record(path)) or probes.answers(service, self._plan)

        answered = processes.wait_until(up_or_gone, timeout_s=_ANSWER_S, pause_s=0.2)
        if not processes.is_alive(processes.read_record(path)):
            raise LabError(f"{service.name} ended at once; log: {log}")
        if not answered:
            raise LabError(f"{service.name} does not answer after {_ANSWER_S} s; log: {log}")
