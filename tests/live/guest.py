"""A real guest of the lab as a test sees it: made with the plain SDK, entered by SSH, asked over HTTP."""

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.processes import wait_until

_BUILT_S = 120
_READY_S = 240


@dataclass
class Guest:
    """One server; `took_s` says when after its creation was asked for it reached what."""

    cloud: Any
    server: Any
    address: str
    key: Path
    boot_volume: str
    data_volume: str
    group: Any
    took_s: dict[str, float] = field(default_factory=dict)

    def run(self, command: str, key: Path | None = None) -> str:
        """What a command printed inside; a failure raises CalledProcessError."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5",
                   "BatchMode=yes", "IdentitiesOnly=yes", "LogLevel=ERROR")  # fmt: skip
        argv = ["ssh", "-i", str(key or self.key), *(f"-o{option}" for option in options),
                f"debian@{self.address}", command]  # fmt: skip
        try:
            return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=90).stdout.strip()
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def ask(self, path: str, text: str | None = None) -> Any:
        """What its application answers."""
        body = None if text is None else text.encode()
        with urllib.request.urlopen(f"http://{self.address}{path}", body, timeout=10) as answer:
            return json.load(answer)

    def console(self) -> str:
        """What it has printed on its console so far, as Nova tells it."""
        return str(self.cloud.compute.get_server_console_output(self.server)["output"])

    def wait_until_inside(self) -> None:
        reach(lambda: self.run("true"), subprocess.CalledProcessError)

    def wait_until_it_answers(self) -> None:
        reach(lambda: self.ask("/health"), urllib.error.URLError, TimeoutError, ConnectionError)


def reach(attempt: Callable[[], object], *failures: type[Exception]) -> None:
    """Tries until it succeeds; the last failure is raised when that takes too long."""
    last: list[Exception] = []

    def succeeded() -> bool:
        try:
            attempt()
        except failures as error:
            last[:] = [error]
            return False
        return True

    if not wait_until(succeeded, timeout_s=_READY_S, pause_s=0.5):
        raise last[0]


def make_key(directory: Path) -> Path:
    """A new key pair; the private half's file."""
    key = directory / f"key-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


@contextmanager
def a_guest(
    cloud: Any, directory: Path, network: str = "zone-public", user_data: str = ""
) -> Iterator[Guest]:
    """A server with a boot volume and a data volume of 1 GiB each, gone afterwards with all it had."""
    name = f"guest-{uuid.uuid4().hex[:8]}"
    key = make_key(directory)
    with ExitStack() as undo:
        cloud.compute.create_keypair(name=name, public_key=key.with_suffix(".pub").read_text())
        undo.callback(cloud.compute.delete_keypair, name)
        group = cloud.network.create_security_group(name=name)
        undo.callback(_again, lambda: cloud.network.delete_security_group(group))
        for port in (22, 80):
            cloud.network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=port,
                port_range_max=port, remote_ip_prefix="10.0.0.0/8",
            )  # fmt: skip
        image = cloud.image.find_image("debian-12", ignore_missing=False)
        boot, data = (
            cloud.block_storage.create_volume(name=f"{name}-{what}", size=1, image_id=source)
            for what, source in (("boot", image.id), ("data", None))
        )
        for volume in (boot, data):
            undo.callback(_delete_volume, cloud, volume)
        for volume in (boot, data):
            cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.3, _BUILT_S)
        asked = time.monotonic()
        server = cloud.compute.create_server(
            name=name, flavor_id=cloud.compute.find_flavor("gov.micro").id, image_id="", key_name=name,
            networks=[{"uuid": cloud.network.find_network(network).id}], security_groups=[{"name": group.id}],
            block_device_mapping=[
                {"uuid": one.id, "boot_index": index, "source_type": "volume", "destination_type": "volume"}
                for one, index in ((boot, 0), (data, -1))
            ],
            **({"user_data": base64.b64encode(user_data.encode()).decode()} if user_data else {}),
        )  # fmt: skip
        undo.callback(_delete_server, cloud, server)
        server = cloud.compute.wait_for_server(server, interval=0.3, wait=_BUILT_S)
        port = next(iter(cloud.network.ports(device_id=server.id)))
        address = next(ip["ip_address"] for ip in port.fixed_ips if "." in ip["ip_address"])
        guest = Guest(cloud, server, address, key, boot.id, data.id, group)
        guest.took_s["ACTIVE"] = time.monotonic() - asked
        guest.wait_until_inside()
        guest.took_s["SSH"] = time.monotonic() - asked
        guest.wait_until_it_answers()
        guest.took_s["PostgreSQL"] = time.monotonic() - asked
        yield guest


def _delete_server(cloud: Any, server: Any) -> None:
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, 0.3, _BUILT_S)


def _delete_volume(cloud: Any, volume: Any) -> None:
    cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.3, _BUILT_S)
    for snapshot in list(cloud.block_storage.snapshots(volume_id=volume.id)):
        cloud.block_storage.delete_snapshot(snapshot)
        cloud.block_storage.wait_for_delete(snapshot, 0.3, _BUILT_S)
    cloud.block_storage.delete_volume(volume)
    cloud.block_storage.wait_for_delete(volume, 0.3, _BUILT_S)


def _again(delete: Callable[[], object]) -> None:
    """Neutron frees a security group a moment after its last port has gone."""
    from openstack.exceptions import ConflictException

    reach(delete, ConflictException)
