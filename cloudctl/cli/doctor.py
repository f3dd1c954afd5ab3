"""`cloudctl doctor`: is everything there that an installation depends on."""

from typing import TYPE_CHECKING

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing
from cloudctl.config import home_directory

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class Doctor(Listing):
    """Look at all this installation depends on, and say what to do; exit code 1 when something fails."""

    columns = ("name", "state", "detail", "advice")

    def rows(self, args: Args) -> "list[Json]":
        from cloudctl.doctor import FAIL, examine

        findings = list(examine(home_directory()))
        if any(finding.state == FAIL for finding in findings):
            self.exit_code = exits.FAILED
        return [{"id": finding.name, **vars(finding)} for finding in findings]
