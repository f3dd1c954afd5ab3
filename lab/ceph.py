"""A Ceph of one monitor, one manager, one OSD on a sparse file and a gateway, made by hand."""

import shutil
import uuid
from pathlib import Path

from lab import probes
from lab.commands import run
from lab.credentials import write_private
from lab.errors import LabError
from lab.layout import Layout, SiteLayout
from lab.processes import wait_until
from lab.sites import Site

#: Every key of the cluster with its rights; all are in the monitor's first keyring, so none is added later.
_KEYS = {
    "client.admin": ("mon", "allow *", "mgr", "allow *", "osd", "allow *", "mds", "allow *"),
    "mgr.x": ("mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"),
    "osd.0": ("mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"),
    "client.rgw.x": ("mon", "allow rw", "osd", "allow rwx"),
    "client.cinder": ("mon", "profile rbd", "mgr", "profile rbd",
                      "osd", "profile rbd pool=volumes, profile rbd pool=images"),
    "client.glance": ("mon", "profile rbd", "mgr", "profile rbd", "osd", "profile rbd pool=images"),
}  # fmt: skip
_ETC_CEPH = Path("/etc/ceph")


def create_monitor(layout: Layout, plan: Site) -> None:
    """Makes keys, monitor and the OSD's place, once; half of a cluster is made anew."""
    site = layout.site(plan)
    if site.stamp("ceph-monitor").exists():
        return
    data, log = site.data / "ceph", site.setup_log
    shutil.rmtree(data, ignore_errors=True)
    for name in ("mon", "mgr", "osd", "rgw", "crash"):
        (data / name).mkdir(parents=True)
    first = data / "mon.keyring"
    run(["ceph-authtool", "-C", str(first), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"], log=log)
    for name, rights in _KEYS.items():
        keyring = data / f"{name}.keyring"
        caps = [
            part for who, what in zip(rights[::2], rights[1::2], strict=True) for part in ("--cap", who, what)
        ]
        run(["ceph-authtool", "-C", str(keyring), "--gen-key", "-n", name, *caps], log=log)
        run(["ceph-authtool", str(first), "--import-keyring", str(keyring)], log=log)
    for keyring in data.glob("*.keyring"):
        keyring.chmod(0o600)
    fsid = cluster_id(site)
    addresses = f"[v2:{plan.address}:3300,v1:{plan.address}:6789]"
    monmap = data / "monmap"
    run(
        ["monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", addresses, str(monmap)],
        log=log,
    )
    run(
        ["ceph-mon", "-c", str(site.ceph_conf), "-i", "a", "--mkfs",
         "--monmap", str(monmap), "--keyring", str(first)],
        log=log, namespace=plan.namespace,
    )  # fmt: skip
    write_private(data / "osd-uuid", f"{uuid.uuid4()}\n")
    site.stamp("ceph-monitor").touch()


def wait_for_monitor(site: SiteLayout) -> None:
    """Returns when the monitor leads its quorum of one."""
    _wait_state(site, "mon.a", "leader")


def wait_for_osd(site: SiteLayout) -> None:
    """Returns when the OSD takes part in the cluster."""
    _wait_state(site, "osd.0", "active")


def create_osd(layout: Layout, plan: Site) -> None:
    """Makes the OSD's store, once; the monitor answers."""
    site = layout.site(plan)
    if site.stamp("ceph-osd").exists():
        return
    data = site.data / "ceph"
    shutil.rmtree(data / "osd")
    (data / "osd").mkdir()
    osd_uuid = (data / "osd-uuid").read_text().strip()
    # The same uuid gets the same number when it asks again.
    _ceph(plan, site, "osd", "new", osd_uuid, "0")
    _ceph(plan, site, "osd", "crush", "add", "osd.0", "1.0", "root=default", f"host={plan.name}")
    run(
        ["ceph-osd", "-c", str(site.ceph_conf), "-i", "0", "--mkfs", "--osd-uuid", osd_uuid],
        log=site.setup_log, namespace=plan.namespace,
    )  # fmt: skip
    site.stamp("ceph-osd").touch()


def create_pools(layout: Layout, plan: Site) -> None:
    """Makes the pools of volumes and images, once; the OSD is up."""
    site = layout.site(plan)
    if site.stamp("ceph-pools").exists():
        return
    for pool in ("volumes", "images"):
        _ceph(plan, site, "osd", "pool", "create", pool, "8")
        init = ["rbd", "-c", str(site.ceph_conf), "pool", "init", pool]
        run(init, log=site.setup_log, namespace=plan.namespace)
    site.stamp("ceph-pools").touch()


def publish_keyring(plan: Site, site: SiteLayout) -> None:
    """Puts the volumes' key where os-brick looks for it: a fixed path, told apart by the cluster's name."""
    link = keyring_link(plan)
    link.parent.mkdir(exist_ok=True)
    target = site.data / "ceph" / "client.cinder.keyring"
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def keyring_link(plan: Site) -> Path:
    """The only path outside the lab's directory that a site needs."""
    return _ETC_CEPH / f"{plan.name}.client.cinder.keyring"


def cluster_id(site: SiteLayout) -> str:
    """The fsid of the site's cluster; its configuration is rendered."""
    return _setting(site, "fsid")


def _ceph(plan: Site, site: SiteLayout, *argv: str) -> None:
    client = ["ceph", "-c", str(site.ceph_conf), "--connect-timeout", "30"]
    run([*client, *argv], log=site.setup_log, namespace=plan.namespace, timeout_s=90)


def _wait_state(site: SiteLayout, daemon: str, state: str) -> None:
    socket = site.run / f"{daemon}.asok"
    if not wait_until(lambda: probes.ceph_daemon_state(socket) == state, timeout_s=90):
        raise LabError(f"{daemon} of Ceph does not come up; log: {site.log}")


def _setting(site: SiteLayout, name: str) -> str:
    for line in site.ceph_conf.read_text().splitlines():
        key, _, value = line.partition(" = ")
        if key == name:
            return value
    raise LabError(f"{site.ceph_conf} says nothing about {name}")
