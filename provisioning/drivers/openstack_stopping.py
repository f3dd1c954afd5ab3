"""Servers off and on, and ports closed and open, over the REST APIs of Nova and Neutron."""

from cloudctl.errors import CloudConflict, CloudNotFound
from provisioning.drivers.openstack_errors import as_busy
from provisioning.drivers.openstack_http import Caller

_COMPUTE, _NETWORK = "compute", "network"


class OpenStackStopping:
    """Implements StoppingInProject."""

    _call: Caller

    def stop_server(self, server_id: str) -> None:
        try:
            self._act(server_id, "os-stop", ("SHUTOFF",))
        except CloudNotFound:
            return

    def start_server(self, server_id: str) -> None:
        self._act(server_id, "os-start", ("ACTIVE",))

    def set_port_up(self, port_id: str, *, is_up: bool) -> None:
        what = f"{'open' if is_up else 'close'} port {port_id}"
        body = {"port": {"admin_state_up": is_up}}
        try:
            self._call.put(_NETWORK, f"/ports/{port_id}", what, body)
        except CloudNotFound:
            if is_up:
                raise

    def _act(self, server_id: str, action: str, done: tuple[str, ...]) -> None:
        """409 both while it is busy and when there is nothing to do: what it is now tells which."""
        what = f"{action.removeprefix('os-')} server {server_id}"
        try:
            self._call.post(_COMPUTE, f"/servers/{server_id}/action", what, {action: None})
        except CloudConflict as error:
            row = self._call.get(_COMPUTE, f"/servers/{server_id}", what)["server"]
            if row.get("status") not in done or row.get("OS-EXT-STS:task_state"):
                raise as_busy(error) from error
