"""Whether a part works after a move: asked from here, with the questions that a drill asks from inside."""

from dr.isolated.checks import Check
from dr.isolated.probe_script import Network, ask


class AskedFromHere:
    """Asks each address as the probe of a drill does; needs a way from cloudctl to the servers."""

    def __init__(self, network: Network | None = None) -> None:
        self._network = network or Network()

    def ask(self, site_id: str, check: Check, address: str) -> tuple[bool, str]:
        """Whether the check passes at the address, and what was seen; never raises for what is silent."""
        return ask(self._network, {**check.as_json(), "address": address, "path": check.path or "/"})
