"""The standby key of a site: only its cloudctl can open what is exported for it.

It is a key of its own, not the site's escrow key: whoever keeps the points of a site need not know every
account and every password's hash. The home keeps the public half (`keys/standby-SITE.pub`), the site the
private one (`keys/standby.json`).
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cloudctl.config import Settings
from cloudctl.errors import BadInput, Fault
from cloudctl.escrow import EscrowKey
from cloudctl.secrets import read_private, write_private
from dr.points.head import check_ids

PRIVATE = "standby.json"
_WORD = "standby/"  # before the site in the key file: it is no escrow key
_PUBLIC = "standby-{site}.pub"
_OWN = frozenset({"audit.key"})  # every installation goes on with a chain of its own


def make(settings: Settings, site: str, file: Path, signer: str, at: datetime) -> EscrowKey:
    """A new pair for the site: the private half into `file`, the public one in force from now on.

    Misconfigured when `file` is there; BadInput for what is no site.
    """
    faults = check_ids(site)
    if faults:
        raise BadInput("the input has faults", faults=faults)
    made = EscrowKey.make(file, settings.installation, _WORD + site, (signer,), at)
    write_private(settings.keys / _PUBLIC.replace("{site}", site), f"{made.public}\n".encode())
    return made


def sites(settings: Settings) -> dict[str, str]:
    """The sites that are exported to, each with the public half of its key."""
    before, after = _PUBLIC.split("{site}")
    found = sorted(settings.keys.glob(f"{before}*{after}"))
    return {path.name[len(before) : -len(after)]: read_private(path).decode().strip() for path in found}


def read(file: Path) -> tuple[EscrowKey, str]:
    """The private half, and whose it is. BadInput when it is another kind of key."""
    key = EscrowKey.read(file)
    if not key.site.startswith(_WORD):
        fault = Fault(str(file), "other_key", "this is the escrow key of {site}", {"site": key.site})
        raise BadInput("an export opens with the standby key of the site only", faults=[fault])
    return key, key.site.removeprefix(_WORD)


def shared(settings: Settings) -> dict[str, str]:
    """The keys that a site needs to go on where the home stopped: its box, its signature, its way in."""
    files = [one for one in sorted(settings.keys.glob("*.key")) if one.name not in _OWN]
    return {one.name: base64.b64encode(read_private(one)).decode() for one in files}


def put_shared(settings: Settings, keys: Mapping[str, str]) -> None:
    """Write those that are other than they were."""
    for name, body in keys.items():
        if Path(name).name != name or not name.endswith(".key") or name in _OWN:
            fault = Fault(name[:80], "other_key", "no key of an export is called so")
            raise BadInput("the input has faults", faults=[fault])
        content, file = base64.b64decode(body, validate=True), settings.keys / name
        if not file.exists() or read_private(file) != content:
            write_private(file, content)
