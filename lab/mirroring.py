"""Volumes that Ceph copies to the other site: rbd-mirror in journal mode between the province and city-1.

A pool of its own, a backend and two types of Cinder for it, a daemon at each site that fetches what the other
one has written, and a key of least right with which cloudctl looks and acts.
"""

import json
from pathlib import Path
from string import Template
from typing import Any

from lab.commands import run
from lab.credentials import Credentials, write_private
from lab.errors import LabError
from lab.keystone import connection
from lab.layout import Layout
from lab.processes import wait_until
from lab.services import Service, environment
from lab.sites import Site, plan

PACKAGES = ("rbd-mirror",)
SERVICE = "rbd-mirror"
POOL = "replicated"
#: Volumes of the first are copied; those of the second lie in the same pool and are not: copies for drills.
TYPES = {
    "replicated": {"volume_backend_name": POOL, "replication_enabled": "<is> True"},
    "rehearsal": {"volume_backend_name": POOL},
}
_PARTNERS = plan(1)
_USER = "cloudctl"
_DAEMON = "client.rbd-mirror.x"
_RIGHTS = {
    _DAEMON: ("mon", "profile rbd-mirror", "osd", "profile rbd"),
    # The pool also has clones of images; who lists it opens them, and cannot without their parents.
    f"client.{_USER}": (
        "mon", "profile rbd", "osd", f"profile rbd pool={POOL}, profile rbd-read-only pool=images",
    ),
}  # fmt: skip
_CINDER = (
    "mon", "profile rbd", "mgr", "profile rbd",
    "osd", f"profile rbd pool=volumes, profile rbd pool=images, profile rbd pool={POOL}",
)  # fmt: skip
_TEMPLATES = Path(__file__).parent / "templates"
_PAIRED = "mirror-paired"
_ANSWER_S = 60


def is_partner(place: Site) -> bool:
    """Whether volumes are copied from and to there; Ceph's mirroring has two sites, not a second city."""
    return place in _PARTNERS


def services(layout: Layout, place: Site) -> tuple[Service, ...]:
    """The daemon of a site. It finds its own cluster by CEPH_CONF alone, whatever its command line says."""
    if not is_partner(place):
        return ()
    site = layout.site(place)
    conf = _conf(layout, place)
    env = {**environment(layout, site), "CEPH_CONF": str(conf)}
    argv = ("rbd-mirror", "-f", "-n", _DAEMON, "-c", str(conf))
    return (Service(SERVICE, "replication", argv, env, (conf,), socket=site.run / "rbd-mirror.asok"),)


def cinder_backend(layout: Layout, place: Site) -> str:
    """The section of cinder.conf for the pool; the other site's cluster is known to it and not used."""
    other = next(one for one in _PARTNERS if one != place)
    values = {
        "site_name": place.name,
        "ceph_conf": str(layout.site(place).ceph_conf),
        "other_name": other.name,
        "other_conf": str(layout.site(other).ceph_conf),
    }
    return Template((_TEMPLATES / "cinder-replicated.conf").read_text()).substitute(values).rstrip()


def install_driver(layout: Layout) -> None:
    """Cinder's driver for the pool, which Cinder loads from among its own; the environment is there."""
    source = (_TEMPLATES / "standing_alone.py").read_text()
    target = layout.site_packages / "cinder" / "volume" / "drivers" / "standing_alone.py"
    if not target.exists() or target.read_text() != source:
        target.write_text(source)


def create_pool(layout: Layout, place: Site) -> None:
    """The pool, who may use it, and the daemon's configuration, once; the site's storage is up."""
    site = layout.site(place)
    section = Template((_TEMPLATES / "rbd-mirror.conf").read_text()).substitute(run=str(site.run))
    write_private(_conf(layout, place), f"{site.ceph_conf.read_text()}\n{section}")
    stamp = site.stamp("mirror-pool")
    if stamp.exists():
        return
    _ceph(layout, place, "osd", "pool", "create", POOL, "8")
    _rbd(layout, place, "pool", "init", POOL)
    _rbd(layout, place, "mirror", "pool", "enable", "--site-name", place.name, POOL, "image")
    _ceph(layout, place, "auth", "caps", "client.cinder", *_CINDER)
    for name, rights in _RIGHTS.items():
        keyring = site.data / "ceph" / f"{name}.keyring"
        keyring.touch(mode=0o600)
        _ceph(layout, place, "auth", "get-or-create", name, *rights, "-o", str(keyring))
    stamp.touch()


def pair(layout: Layout) -> None:
    """Makes the two sites known to each other; anew when one of them was lost. Both storages are up."""
    stamps = [layout.site(place).stamp(_PAIRED) for place in _PARTNERS]
    if all(stamp.exists() for stamp in stamps):
        return
    first, second = _PARTNERS
    for place in _PARTNERS:
        for peer in _pool_info(layout, place).get("peers") or ():
            _rbd(layout, place, "mirror", "pool", "peer", "remove", POOL, str(peer["uuid"]))
    bootstrap = ("mirror", "pool", "peer", "bootstrap")
    token = _rbd(layout, first, *bootstrap, "create", "--site-name", first.name, POOL)
    _rbd(
        layout, second, *bootstrap, "import", "--site-name", second.name, "--direction", "rx-tx", POOL, "-",
        stdin=token,
    )  # fmt: skip
    for stamp in stamps:
        stamp.touch()


def wait_until_ready(layout: Layout, place: Site) -> None:
    """Returns when the daemon of the site serves the pool and knows the other site."""

    def is_ready() -> bool:
        daemons = _pool_status(layout, place).get("daemons") or ()
        return any(one.get("health") == "OK" and one.get("leader") for one in daemons)

    if not wait_until(is_ready, timeout_s=_ANSWER_S, pause_s=1):
        raise LabError(f"rbd-mirror of {place.name} does not serve {POOL}; log: {layout.site(place).log}")


def create_types(layout: Layout, place: Site) -> None:
    """The volume types, once; Cinder answers."""
    stamp = layout.site(place).stamp("mirror-types")
    if stamp.exists():
        return
    with connection(place, Credentials(layout.credentials, (place,)).of(place)) as cloud:
        storage: Any = cloud.block_storage
        known = {kind.name: kind for kind in storage.types()}
        for name, specs in TYPES.items():
            kind = known.get(name) or storage.create_type(name=name)
            storage.update_type_extra_specs(kind, **specs)
    stamp.touch()


def publish(layout: Layout) -> None:
    """storage.yaml, with what cloudctl signs in with at each site."""
    text = "storage:\n"
    for place in _PARTNERS:
        site = layout.site(place)
        keyring = site.data / "ceph" / f"client.{_USER}.keyring"
        text += f"  {place.name}:\n    conf: {site.ceph_conf}\n    keyring: {keyring}\n"
        text += f"    user: {_USER}\n    pool: {POOL}\n"
    write_private(layout.storage_yaml, text)


def _conf(layout: Layout, place: Site) -> Path:
    return layout.site(place).etc / "rbd-mirror.conf"


def _pool_info(layout: Layout, place: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        _rbd(layout, place, "mirror", "pool", "info", POOL, "--format", "json")
    )
    return found


def _pool_status(layout: Layout, place: Site) -> dict[str, Any]:
    argv = ("mirror", "pool", "status", POOL, "--verbose", "--format", "json")
    found: dict[str, Any] = json.loads(_rbd(layout, place, *argv))
    return found


def _ceph(layout: Layout, place: Site, *argv: str) -> str:
    return _run(layout, place, ["ceph", "--connect-timeout", "30"], argv, "")


def _rbd(layout: Layout, place: Site, *argv: str, stdin: str = "") -> str:
    return _run(layout, place, ["rbd"], argv, stdin)


def _run(layout: Layout, place: Site, program: list[str], argv: tuple[str, ...], stdin: str) -> str:
    site = layout.site(place)
    command = [*program, "-c", str(site.ceph_conf), *argv]
    return run(command, log=site.setup_log, namespace=place.namespace, stdin=stdin, timeout_s=90)
