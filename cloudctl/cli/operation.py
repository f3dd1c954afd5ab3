"""`cloudctl operation`: durable work, its steps, and what to do when it failed."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli.break_glass import add_break_glass, break_glass
from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List operations, the newest first."""

    columns = ("id", "name", "site", "state", "step", "progress_done", "progress_total", "why", "created_at")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--state", metavar="STATE", help="open, or queued, running, undoing, done, failed, abandoned"
        )
        parser.add_argument("--request", metavar="N", type=int, help="only of this request")
        parser.add_argument("--site", metavar="SITE", help="only at this cloud")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/operations",
            args.limit,
            state=args.state,
            request=args.request,
            site=self.client.id_of("/sites", args.site),
        )


class Show(Showing):
    """Show an operation with its journaled steps."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("operation", metavar="N", type=int)

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/operations/{args.operation}")


class Retry(Show):
    """Look at a waiting operation now instead of after its growing pause."""

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/operations/{args.operation}/retry")


class Abandon(Show):
    """End an undo that cannot be finished; what it leaves on the cloud is shown as orphaned."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--reason", default="", help="why; kept on record")
        add_break_glass(parser)

    def one(self, args: Args) -> "Json":
        if args.break_glass is not None:
            return break_glass("operation.abandon", str(args.operation), args.break_glass)
        return self.client.post(f"/operations/{args.operation}/abandon", {"reason": args.reason})
