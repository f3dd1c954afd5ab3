"""Where an installation has no witness: nobody is asked, so nothing goes on that would have to know."""

from cloudctl.errors import WitnessUnavailable
from cloudctl.ports import Member, Observation, Register, Stopped


class NoWitness:
    """Implements Witness and Agents: no majority, ever. Only two people who break the glass get past it."""

    def read(self, group: str) -> Register | None:
        raise _nobody()

    def swap(self, before: Register | None, after: Register) -> Register:
        raise _nobody()

    def read_stopped(self, group: str, site: str) -> Stopped | None:
        raise _nobody()

    def lease_s(self, group: str, site: str) -> float:
        raise _nobody()

    def settle(self, group: str, machine: str, site: str, server: str) -> None:
        raise _nobody()

    def home(self, group: str, machine: str) -> tuple[str, str] | None:
        raise _nobody()

    def read_observations(self, group: str) -> list[Observation]:
        raise _nobody()

    def members(self) -> list[Member]:
        return []

    def enrol(self, group: str, site: str, server: str, lease_s: float = 0) -> None:
        raise _nobody()

    def say_stopped(self, word: Stopped, server: str, lease_s: float = 0) -> None:
        raise _nobody()

    def dismiss(self, group: str, site: str, server: str) -> None:
        raise _nobody()

    def servers(self, group: str, site: str) -> list[str]:
        raise _nobody()

    def observe(self, seen: Observation, keep_s: int) -> None:
        raise _nobody()


def _nobody() -> WitnessUnavailable:
    return WitnessUnavailable("this installation has no witness.yaml")
