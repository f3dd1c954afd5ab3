"""`cloudctl token`: what one's scripts sign in with."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List one's own tokens, never their values."""

    columns = ("id", "name", "state", "created_at", "expires_at", "last_used_at")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/tokens")


class Create(Showing):
    """Make a personal token for a script; it is shown this once."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what it is for")
        parser.add_argument("--days", type=int, default=90, help="how long it is good (default: 90)")

    def one(self, args: Args) -> "Json":
        return self.client.post("/tokens", {"name": args.name, "days": args.days})


class Revoke(Showing):
    """End a token at once."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("token", metavar="TOKEN", help="id or name of the token, not its value")

    def one(self, args: Args) -> "Json":
        token = self.client.id_of("/tokens", args.token) or ""
        return self.client.delete(f"/tokens/{quote(token, safe='')}")
