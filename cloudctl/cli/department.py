"""`cloudctl department`: who owns systems and asks for resources."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List the departments."""

    columns = ("id", "name", "kind", "division_name", "served_by")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--division", metavar="CODE|NAME", help="only of this division")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/departments", division=self.client.id_of("/divisions", args.division))


class Show(Showing):
    """Show a department."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("department", metavar="DEPARTMENT", help="code or name")

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/departments/{quote(args.department, safe='')}")
