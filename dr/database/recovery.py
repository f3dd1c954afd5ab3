"""The recovery key: who may open the copies of cloudctl's own database.

It is a key of its own, not the escrow keys of the sites: a copy holds what signs heads, logs in to servers
and knows every account, which the keepers of one site's data need not have. `cloudctl init` makes it; the
public half stays in `keys/recovery.pub`, the private one in `keys/recovery.json` until it is taken away.
"""

from datetime import datetime
from pathlib import Path

from cloudctl.config import Settings
from cloudctl.errors import Misconfigured
from cloudctl.escrow import EscrowKey
from cloudctl.secrets import read_private, write_private

SITE = "cloudctl"  # what the key file says instead of a site
PRIVATE, PUBLIC = "recovery.json", "recovery.pub"


def make(settings: Settings, file: Path, signer: str, at: datetime) -> EscrowKey:
    """A new pair: the private half into `file`, the public one in force from now on. What was sealed before
    opens with the key from before. Misconfigured when `file` is there."""
    made = EscrowKey.make(file, settings.installation, SITE, (signer,), at)
    write_private(settings.keys / PUBLIC, f"{made.public}\n".encode())
    return made


def ensure(settings: Settings, signer: str, at: datetime) -> bool:
    """Make the pair in the home where there is none; whether it was made. One half made is completed."""
    if public_half(settings) is not None:
        return False
    file = settings.keys / PRIVATE
    if file.exists():  # the last try ended between the two
        write_private(settings.keys / PUBLIC, f"{EscrowKey.read(file).public}\n".encode())
    else:
        make(settings, file, signer, at)
    return True


def public_half(settings: Settings) -> str | None:
    """The public half in force, in hex; None while there is none."""
    file = settings.keys / PUBLIC
    return read_private(file).decode().strip() if file.exists() else None


def must_have(settings: Settings) -> str:
    """The same. Misconfigured when there is none."""
    found = public_half(settings)
    if found is None:
        raise Misconfigured("there is no recovery key", hint="run: cloudctl init")
    return found


def private_half(settings: Settings) -> EscrowKey | None:
    """The private half, where it has not been taken away."""
    file = settings.keys / PRIVATE
    return EscrowKey.read(file) if file.exists() else None
