"""`cloudctl system`: the register of information systems."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List the information systems."""

    columns = ("id", "name", "department", "mlps_level")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--department", metavar="CODE|NAME", help="only of this department")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/systems", department=self.client.id_of("/departments", args.department))


class Show(Showing):
    """Show an information system."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/systems/{quote(args.system, safe='')}")
