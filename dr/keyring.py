"""The keys an installation works with: its own box and signature, and the escrow keys it happens to have.

Where the private half of an escrow key is not here, points are made all the same, and nobody here can open
them: that is what a vault in other hands is for. Proofs of what is inside need it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cloudctl.envelopes import DataKey
from cloudctl.errors import Misconfigured, NotProved, SealBroken
from cloudctl.escrow import EscrowKey
from cloudctl.secrets import Box
from dr.points.head import Signs


@dataclass(frozen=True)
class Keyring:
    """`escrow` reads the private halves that are here, by site, whenever they are asked for."""

    signer: Signs
    box: Box
    escrow: Callable[[], Mapping[str, EscrowKey]] = field(default=dict)

    def keep(self, key: DataKey) -> str:
        """The data key in the box, for the operation that needs it again after a crash."""
        return self.box.seal(key.raw.hex())

    def take(self, kept: str) -> DataKey:
        """The data key out of the box."""
        return DataKey(bytes.fromhex(self.box.open(kept)))

    def trusted(self) -> tuple[str, ...]:
        """Whose heads are believed: our own, and those that the escrow keys name."""
        named = [signer for one in self.escrow().values() for signer in one.signers]
        return tuple(dict.fromkeys([self.signer.public, *named]))

    def find(self, sites: Iterable[str]) -> EscrowKey | None:
        """The first private half of these sites that is here."""
        held = self.escrow()
        return next((held[site] for site in sites if site in held), None)

    def need(self, sites: Iterable[str]) -> EscrowKey:
        """The same; Misconfigured when there is none."""
        wanted = list(sites)
        found = self.find(wanted)
        if found is None:
            raise Misconfigured(
                "no escrow key of {sites} is here: what is in the vault cannot be opened",
                sites=", ".join(wanted),
            )
        return found

    def must_open(self, site_id: str, wrapped: str, context: str, key: DataKey) -> None:
        """Where the private half is here: NotProved unless what was wrapped is what comes out again."""
        private = self.escrow().get(site_id)
        if private is None:
            return
        try:
            opened = private.unwrap(wrapped, context)
        except SealBroken as error:
            raise NotProved("the escrow key of {site} does not open a new point", site=site_id) from error
        if opened.raw != key.raw:
            raise NotProved("the escrow key of {site} does not open a new point", site=site_id)
