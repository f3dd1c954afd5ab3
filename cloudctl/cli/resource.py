"""`cloudctl resource`: servers, volumes and ports, made, adopted or found."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.request_create import Submitting

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json


def resource(client: "Client", wanted: str) -> "Json":
    """One resource by id, name, or id at its cloud."""
    return client.get(f"/resources/{quote(wanted, safe='')}")


class List(Listing):
    """List resources."""

    columns = ("id", "kind", "name", "site", "system", "state", "addresses", "external_id")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--system", metavar="CODE|NAME", help="only of this system")
        parser.add_argument("--request", metavar="N", type=int, help="only what this request made")
        parser.add_argument("--site", metavar="SITE", help="only at this cloud")
        parser.add_argument("--kind", choices=("server", "volume", "port"))
        parser.add_argument("--released", action="store_true", help="also what has been released")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/resources",
            args.limit,
            system=self.client.id_of("/systems", args.system),
            request=args.request,
            site=self.client.id_of("/sites", args.site),
            kind=args.kind,
            released=args.released or None,
        )


class Show(Showing):
    """Show a resource."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("resource", metavar="RESOURCE", help="id or name")

    def one(self, args: Args) -> "Json":
        return resource(self.client, args.resource)


class Release(Submitting):
    """Ask for resources to be released: a request like any other."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("resource", metavar="RESOURCE", nargs="+", help="id or name")
        parser.add_argument("--with-volumes", action="store_true", help="data volumes of servers too")
        super().options(parser)

    def form(self, args: Args) -> "Json":
        rows = [resource(self.client, wanted) for wanted in args.resource]
        return {
            "kind": "release",
            "resources": [row["id"] for row in rows],
            "with_volumes": args.with_volumes or None,
        }
