"""Servers off and on, and ports closed and open, in the memory of a FakeState."""

from dataclasses import replace

from cloudctl.errors import CloudBusy, CloudNotFound
from provisioning.drivers.fake_state import FakeState


class FakeStopping:
    """Implements StoppingInProject. A closed port says so at once."""

    _state: FakeState
    _id: str

    def _check_access(self) -> None:
        """As for every other call inside a project."""
        raise NotImplementedError

    def stop_server(self, server_id: str) -> None:
        with self._state.call("stop_server", self._id, server_id):
            self._check_access()
            self._turn(server_id, "ACTIVE", "SHUTOFF")

    def start_server(self, server_id: str) -> None:
        with self._state.call("start_server", self._id, server_id):
            self._check_access()
            if server_id not in self._state.servers:
                raise CloudNotFound(
                    "server {id} not found", id=server_id, cloud_request_id=self._state.request_id()
                )
            self._turn(server_id, "SHUTOFF", "ACTIVE")

    def _turn(self, server_id: str, source: str, target: str) -> None:
        state = self._state
        server = state.servers.get(server_id)
        if server is None or server.status == target:
            return
        if server.status != source or server_id in state.going or server_id in state.passages:
            raise CloudBusy(
                "server {id} is {status}", id=server_id, status=server.status,
                cloud_request_id=state.request_id(),
            )  # fmt: skip

        def turned() -> None:
            state.servers[server_id] = replace(state.servers[server_id], status=target)

        state.begin(server_id, turned)

    def set_port_up(self, port_id: str, *, is_up: bool) -> None:
        state = self._state
        with state.call("set_port_up", self._id, port_id):
            self._check_access()
            port = state.ports.get(port_id)
            if port is None:
                if is_up:
                    raise CloudNotFound(
                        "port {id} not found", id=port_id, cloud_request_id=state.request_id()
                    )
                return
            status = "ACTIVE" if is_up and port.device_id else "DOWN"
            state.ports[port_id] = replace(port, is_up=is_up, status=status)
