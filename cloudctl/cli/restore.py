"""`cloudctl restore`: what was brought back or shall be, and the decisions of a second person."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli.backup import add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List restores, the newest first."""

    columns = (
        "id",
        "system",
        "mode",
        "site",
        "asked_by",
        "bytes_done",
        "bytes_total",
        "is_verified",
        "state",
    )

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--state", metavar="STATE", help="awaiting, running, done, failed, ...")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/restores", args.limit, state=args.state)


class Show(Showing):
    """Show a restore: what it makes, how far it has come, and who decided."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/restores/{args.restore}")


class Approve(Showing):
    """Begin a restore that somebody else asked for."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--opinion", metavar="TEXT", default="")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        row = self.client.post(f"/restores/{args.restore}/approve", {"opinion": args.opinion})
        has_ended_well(self, args, row["operation_id"])
        return self.client.get(f"/restores/{args.restore}")


class Reject(Showing):
    """Say no to a restore, and why; whoever asked takes it back this way."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--opinion", metavar="TEXT", default="")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/restores/{args.restore}/reject", {"opinion": args.opinion})


class Undo(Showing):
    """Ask that a system gets the volumes back that it had before a restore; a second person decides."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--reason", metavar="TEXT", required=True)

    def one(self, args: Args) -> "Json":
        row = self.client.post(f"/restores/{args.restore}/undo", {"reason": args.reason})
        self.say(f"a second person decides: cloudctl restore approve {row['id']}")
        return row


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("restore", metavar="RESTORE", type=int, help="its number")
