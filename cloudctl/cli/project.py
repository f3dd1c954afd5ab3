"""`cloudctl project`: where a system lives on a cloud."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List the projects on the clouds."""

    columns = ("id", "name", "system", "environment", "site", "state", "external_id")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--system", metavar="CODE|NAME", help="only of this system")
        parser.add_argument("--site", metavar="SITE", help="only at this cloud")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/projects",
            system=self.client.id_of("/systems", args.system),
            site=self.client.id_of("/sites", args.site),
        )


class Adopt(Showing):
    """Bind an existing project with its servers and volumes to a system; the cloud stays as it is."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("external_id", metavar="PROJECT_ID", help="its id at the cloud")
        parser.add_argument("--site", metavar="SITE", required=True)
        parser.add_argument("--system", metavar="CODE|NAME", required=True)
        parser.add_argument("--environment", default="prod", choices=("prod", "test", "dev"))

    def one(self, args: Args) -> "Json":
        body = {
            "site": self.client.id_of("/sites", args.site),
            "external_id": args.external_id,
            "system": self.client.id_of("/systems", args.system),
            "environment": args.environment,
        }
        return self.client.post("/projects/adopt", body)
