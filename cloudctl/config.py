"""The configuration of one installation: `CLOUDCTL_HOME/cloudctl.yaml` parsed once into frozen values.

Every key has a default that works on one machine. Unknown keys and bad values are reported all at once.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from cloudctl.errors import Fault, Misconfigured

FILE_NAME = "cloudctl.yaml"


@dataclass(frozen=True)
class Settings:
    """What an installation can be told. Paths are absolute; spans are seconds."""

    home: Path
    installation: str = ""  # the id in the tags of everything made
    database: str = ""  # SQLAlchemy URL; empty: SQLite in home
    broker: str = ""  # amqp://... for workers on many hosts; empty: the worker is inside `serve`
    listen_host: str = "127.0.0.1"  # nothing listens beyond loopback unless told
    listen_port: int = 8080
    public_url: str = ""  # how people reach the portal, for links
    clouds_yaml: str = ""  # empty: CLOUDCTL_HOME/clouds.yaml, then OpenStack's usual places
    stores_yaml: str = ""  # empty: CLOUDCTL_HOME/stores.yaml
    lease_s: int = 30
    operation_deadline_s: int = 1800
    request_expires_s: int = 30 * 86400
    look_every_s: int = 900  # how often the running servers of a site are listed
    poll_s: float = 1.0  # how often a site is asked about things being made
    guest_patience_s: float = 300.0  # how long a build waits for SSH of a new server
    guest_play_s: float = 900.0  # one playbook at the servers of a request
    proof_patience_s: float = 900.0  # how long a proof waits for what it started to answer
    probe_image: str = ""  # of the server that looks inside isolated networks; empty: a Debian or Ubuntu
    probe_flavor: str = ""  # empty: the smallest
    isolation_canary: str = ""  # `address` or `address:port`, with spaces: what no isolated network may reach
    sentinel_copies: str = ""  # a directory of a third place: the journals of sentinels are copied there
    cloud_timeout_s: float = 20.0  # one call to a cloud; shorter than the lease
    worker_threads: int = 8
    web_threads: int = 8
    session_idle_s: int = 1800
    session_s: int = 12 * 3600
    login_failures: int = 5
    lockout_s: int = 1800
    database_every_s: int = 6 * 3600  # how often the own database is copied into the vaults
    database_keep_s: int = 30 * 86400  # how long nothing can delete such a copy
    commit_window_s: int = 24 * 3600  # how long a move can be turned round before it counts as done
    log_level: str = "info"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.home / 'cloudctl.db'}"

    @property
    def socket(self) -> Path:
        return self.home / "cloudctl.sock"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def audit_heads(self) -> Path:
        return self.home / "audit-heads.jsonl"

    @property
    def sentinels(self) -> Path:
        return self.home / "sentinels"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def witness_file(self) -> Path:
        return self.home / "witness.yaml"

    @property
    def dns_file(self) -> Path:
        return self.home / "dns.yaml"

    @property
    def storage_file(self) -> Path:
        return self.home / "storage.yaml"

    @property
    def clouds_file(self) -> Path | None:
        path = Path(self.clouds_yaml) if self.clouds_yaml else self.home / "clouds.yaml"
        return path if path.exists() else None

    @property
    def stores_file(self) -> Path:
        return Path(self.stores_yaml) if self.stores_yaml else self.home / "stores.yaml"


def home_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """`CLOUDCTL_HOME`, or `~/.cloudctl`."""
    return Path(environ.get("CLOUDCTL_HOME") or Path.home() / ".cloudctl").absolute()


def load(home: Path) -> Settings:
    """Read the settings of `home`. Misconfigured lists every fault; a missing file means `init` is due."""
    path = home / FILE_NAME
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        fault = Fault(
            str(path), "not_initialised", "there is no installation here", hint="run: cloudctl init"
        )
        raise Misconfigured("cloudctl is not set up", faults=[fault]) from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        fault = Fault(str(path), "unreadable", "{error}", {"error": str(error)})
        raise Misconfigured("the configuration cannot be read", faults=[fault]) from error
    return parse(home, document, str(path))


def parse(home: Path, document: Any, place: str = FILE_NAME) -> Settings:
    """Check a document; all faults at once."""
    if not isinstance(document, dict):
        raise Misconfigured(
            "the configuration is not a mapping", faults=[Fault(place, "not_a_mapping", "write keys")]
        )
    known = {field.name: field for field in fields(Settings) if field.name != "home"}
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for key, given in document.items():
        where = f"{place}: {key}"
        if key not in known:
            choices = {"known": ", ".join(sorted(known))}
            faults.append(Fault(where, "unknown_key", "is not a setting", choices, "known: {known}"))
            continue
        wanted = type(getattr(Settings, key))
        value = float(given) if wanted is float and type(given) is int else given
        if type(value) is not wanted:
            faults.append(Fault(where, "bad_type", "must be {type}", {"type": wanted.__name__}))
        elif wanted in (int, float) and value <= 0:
            faults.append(Fault(where, "not_positive", "must be more than 0"))
        else:
            values[key] = value
    if not values.get("installation"):
        faults.append(Fault(f"{place}: installation", "missing", "is missing", hint="run: cloudctl init"))
    settings = Settings(home=home, **values)
    if settings.cloud_timeout_s >= settings.lease_s:
        faults.append(Fault(f"{place}: cloud_timeout_s", "too_long", "must be shorter than lease_s"))
    if faults:
        raise Misconfigured("the configuration has faults", faults=faults)
    return settings
