"""The libvirt of a site, and the machines it runs."""

import os
import signal
from pathlib import Path

from lab import ceph, namespaces
from lab.credentials import write_private
from lab.layout import SiteLayout
from lab.processes import kill_all, wait_until
from lab.sites import Site

_ENDS_S = 10


def write_secret(plan: Site, site: SiteLayout) -> None:
    """Gives libvirt the key to the site's volumes, in the files in which it keeps secrets.

    Cinder tells Nova the cluster's id as the name of the secret.
    """
    name, directory = ceph.cluster_id(site), site.etc / "libvirt" / "secrets"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    usage = f"<usage type='ceph'><name>{plan.name} client.cinder</name></usage>"
    xml = f"<secret ephemeral='no' private='no'><uuid>{name}</uuid>{usage}</secret>\n"
    write_private(directory / f"{name}.xml", xml)
    write_private(directory / f"{name}.base64", _key(site.data / "ceph" / "client.cinder.keyring"))


def power_off(plan: Site) -> None:
    """Takes the power from every guest of the site: QEMU ends at once, having written what it was told to."""
    for pid in _guests(plan):
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not _guests(plan), timeout_s=_ENDS_S)
    kill_all(lambda: _guests(plan))


def _guests(plan: Site) -> list[int]:
    """The QEMU processes inside the site's network."""
    found = []
    for pid in namespaces.pids_inside(plan):
        try:
            program = Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            continue
        if program.startswith("qemu-system"):
            found.append(pid)
    return found


def _key(keyring: Path) -> str:
    for line in keyring.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "key":
            return value.strip()
    raise ValueError(f"{keyring} holds no key")
