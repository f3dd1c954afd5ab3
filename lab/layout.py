"""Where everything of a lab lies below its home directory."""

from dataclasses import dataclass
from pathlib import Path

from lab.sites import Site


@dataclass(frozen=True)
class Layout:
    """The directories and files that all sites share."""

    home: Path

    @property
    def venv(self) -> Path:
        return self.home / "venv"

    @property
    def site_packages(self) -> Path:
        return self.venv / "lib" / "python3.11" / "site-packages"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    @property
    def bin(self) -> Path:
        """Programs put before the system's on the services' PATH."""
        return self.home / "bin"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def sites(self) -> Path:
        return self.home / "sites"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def guests_mark(self) -> Path:
        """Exists while the lab's guests are real machines."""
        return self.home / "guests"

    @property
    def extras_mark(self) -> Path:
        """Names what the lab has beside its clouds; see lab/extras.py."""
        return self.home / "with"

    @property
    def witness(self) -> Path:
        """The certificates of the members of the witness and of who asks them."""
        return self.home / "witness"

    @property
    def witness_yaml(self) -> Path:
        return self.home / "witness.yaml"

    @property
    def dns_yaml(self) -> Path:
        return self.home / "dns.yaml"

    @property
    def clouds_yaml(self) -> Path:
        return self.home / "clouds.yaml"

    @property
    def stores_yaml(self) -> Path:
        return self.home / "stores.yaml"

    @property
    def storage_yaml(self) -> Path:
        return self.home / "storage.yaml"

    @property
    def credentials(self) -> Path:
        return self.home / "credentials.json"

    def site(self, site: Site) -> "SiteLayout":
        return SiteLayout(self.sites / site.name)


@dataclass(frozen=True)
class SiteLayout:
    """The directories of one site; removing `root` removes the site's every byte."""

    root: Path

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def setup_log(self) -> Path:
        """What the commands said that made the site."""
        return self.log / "setup.log"

    @property
    def run(self) -> Path:
        """Sockets and pid records."""
        return self.root / "run"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def ceph_conf(self) -> Path:
        return self.etc / "ceph.conf"

    def record(self, service: str) -> Path:
        return self.run / f"{service}.pid"

    def socket(self, name: str) -> Path:
        return self.run / f"{name}.sock"

    def stamp(self, step: str) -> Path:
        """Exists once a step that must happen only once has been finished."""
        return self.root / "done" / step

    def make(self) -> None:
        """Creates the directories, closed to others since keys lie among them; may be called again."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        states = (self.data / name for name in ("nova/instances", "neutron", "cinder", "glance"))
        for directory in (self.etc, self.log, self.run, self.tmp, self.root / "done", *states):
            directory.mkdir(parents=True, exist_ok=True)
