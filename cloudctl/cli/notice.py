"""`cloudctl notice`: what one has to do or know."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli.commands import Args, Listing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List one's notices, the newest first."""

    columns = ("id", "state", "needs_action", "text", "subject", "created_at")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--unread", action="store_true", help="only those not read yet")
        parser.add_argument(
            "--limit", type=int, metavar="N", default=50, help="at most so many (default: 50)"
        )

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/notices", args.limit, unread=args.unread or None)
