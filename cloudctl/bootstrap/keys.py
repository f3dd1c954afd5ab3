"""The key files of a home, by name, and what is made of them."""

from typing import TYPE_CHECKING

from cloudctl.config import Settings
from cloudctl.secrets import Box, Signer

if TYPE_CHECKING:
    from dr.keyring import Keyring

AUDIT_KEY = "audit.key"
BOX_KEY = "box.key"
POINTS_KEY = "points.key"  # signs the heads of recovery points
ESCROW = "escrow"  # a folder with the private halves that are kept here: SITE.json
GUESTS_KEY = "guests.key"
SENTINELS_KEY = "sentinels.key"  # binds the records that are written through applications


def keyring_of(settings: Settings) -> "Keyring":
    """The signer of heads, made when there is none, and the escrow keys whose private half is here."""
    from cloudctl.escrow import EscrowKey
    from dr.keyring import Keyring

    def escrow() -> dict[str, EscrowKey]:
        return {path.stem: EscrowKey.read(path) for path in (settings.keys / ESCROW).glob("*.json")}

    return Keyring(Signer.of(settings.keys / POINTS_KEY), Box(settings.keys / BOX_KEY), escrow)
