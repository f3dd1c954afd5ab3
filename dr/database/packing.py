"""What a copy of the database is made of: three files in a folder.

    database                 the dump: SQLite compressed, or PostgreSQL's own format
    audit-heads.jsonl.gz     the signed heads of the audit chain up to the last event of the dump
    home.json                the settings that are not of this machine, and the keys of the installation

Without `box.key` and `audit.key` a database that came back could neither open what it keeps sealed nor go on
with its chain. `clouds.yaml` and `stores.yaml` are not in it: they hold other people's credentials, and who
brings a database back has to have the latter anyway.
"""

import base64
import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cloudctl import __version__, dumps
from cloudctl.config import Settings
from cloudctl.errors import Fault, NotProved
from cloudctl.secrets import read_private, write_private
from cloudctl.store import Store
from dr.database.recovery import PUBLIC
from dr.points.fields import canonical

DATABASE, HEADS, HOME = "database", "audit-heads.jsonl.gz", "home.json"
_FORMAT = "cloudctl-home-1"
_OF_THE_MACHINE = frozenset({"home", "database", "broker", "clouds_yaml", "stores_yaml"})


@dataclass(frozen=True)
class Home:
    """What belongs into a home beside the database: settings by name, key files by name."""

    installation: str
    settings: Mapping[str, Any]
    keys: Mapping[str, bytes]


def pack(store: Store, settings: Settings, folder: Path) -> dict[str, Any]:
    """Write the files of a copy into the folder, emptied first; the facts about it, for the manifest.

    With a broker, workers on other hosts sign heads into files of their own, which are not here: the facts
    say so. Misconfigured when the database cannot be dumped. Mode 0700: nothing in it is sealed yet.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    dumped = dumps.dump(store, folder / DATABASE)
    with gzip.GzipFile(folder / HEADS, "wb", mtime=0) as write:  # after the dump: it has every head of it
        for line in _heads_until(settings.audit_heads, dumped.audit_seq):
            write.write(line)
    write_private(folder / HOME, _home(settings))
    return {**asdict(dumped), "cloudctl": __version__, "has_other_hosts": bool(settings.broker)}


def _heads_until(file: Path, seq: int) -> Iterator[bytes]:
    """The lines of the file, and of those that came from other hosts, that speak of no later event. What is
    no head is kept: whoever verifies the chain shall see it."""
    for path in sorted(file.parent.glob(f"{file.stem}*{file.suffix}")):
        with path.open("rb") as read:
            for line in read:
                if _seq(line) <= seq:
                    yield line if line.endswith(b"\n") else line + b"\n"


def _seq(line: bytes) -> int:
    try:
        return int(json.loads(line)["seq"])
    except (ValueError, KeyError, TypeError):
        return 0


def _home(settings: Settings) -> bytes:
    told = {
        one.name: getattr(settings, one.name)
        for one in fields(Settings)
        if one.name not in _OF_THE_MACHINE and getattr(settings, one.name) != one.default
    }
    files = [*settings.keys.glob("*.key"), settings.keys / PUBLIC]
    keys = {one.name: base64.b64encode(read_private(one)).decode() for one in sorted(files) if one.exists()}
    return canonical(
        {"format": _FORMAT, "installation": settings.installation, "settings": told, "keys": keys}
    )


def read_home(folder: Path) -> Home:
    """What belongs into the home. NotProved when the file is nothing that `pack` wrote."""
    try:
        content = json.loads((folder / HOME).read_bytes())
        if content["format"] != _FORMAT:
            raise ValueError(content["format"])
        keys = {str(name): base64.b64decode(body, validate=True) for name, body in content["keys"].items()}
        if any(Path(name).name != name for name in keys):
            raise ValueError("a key outside of its folder")
        return Home(str(content["installation"]), dict(content["settings"]), keys)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fault = Fault(HOME, "unreadable", "this is nothing that cloudctl packed")
        raise NotProved("what was read is not what cloudctl writes", faults=[fault]) from error


def write_heads(folder: Path, file: Path) -> None:
    """The signed heads again, as the file beside a home's database."""
    with gzip.open(folder / HEADS, "rb") as read:
        write_private(file, read.read())
