"""`cloudctl database`: copies of cloudctl's own database, and the word of two people after a restore."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.backup import add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class Show(Showing):
    """Show whether this installation acts or only observes, and its newest copy."""

    columns = (
        "state",
        "restored_from",
        "taken_at",
        "restored_at",
        "confirmed_by",
        "confirmations_missing",
        "newest_copy",
    )

    def one(self, args: Args) -> "Json":
        return self.client.get("/database")

    def for_people(self, row: "Json") -> "Json":
        copy = row["newest_copy"]
        told = f"{copy['taken_at']} {copy['state']} {copy['level'] or ''}".strip() if copy else "none"
        return {**row, "newest_copy": told}


class List(Listing):
    """List the copies in the vaults, the newest first, with the level to which each is proved."""

    columns = ("id", "name", "taken_at", "level", "verified_at", "bytes", "locked_until", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--gone", action="store_true", help="also those that were given up or failed")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/database/copies", gone=args.gone or None)


class BackUp(Showing):
    """Copy the database into every vault now, and prove the copy by bringing it back."""

    columns = ("id", "name", "state", "level", "taken_at", "bytes", "error_message")

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        return _followed(self, args, self.client.post("/database/copies", {}))


class Verify(Showing):
    """Prove a copy again: read back from every vault, brought back out of one and examined."""

    columns = BackUp.columns

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("copy", metavar="COPY", help="id, or its first 8 characters")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        path = f"/database/copies/{quote(args.copy, safe='')}/prove"
        return _followed(self, args, self.client.post(path, {}))


class Confirm(Showing):
    """After a restore: say that the installation may act on clouds again; two different people have to."""

    columns = ("state", "confirmed_by", "confirmations_missing")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--reason", metavar="TEXT", required=True, help="what was looked at")

    def one(self, args: Args) -> "Json":
        return self.client.post("/database/confirm", {"reason": args.reason})


class Key(Showing):
    """Make a new recovery key, on the machine of the installation; copies from now on open with it.

    Copies that are there open with the key from before: keep both. `init` makes the first one.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="where to write it; nothing is ever overwritten")

    def one(self, args: Args) -> "Json":
        from cloudctl.bootstrap import POINTS_KEY
        from cloudctl.clock import SystemClock
        from cloudctl.config import home_directory, load
        from cloudctl.secrets import Signer
        from dr.database import recovery

        settings = load(home_directory())
        path = Path(args.file).expanduser()
        signer = Signer.of(settings.keys / POINTS_KEY).public
        made = recovery.make(settings, path, signer, SystemClock().now())
        self.say(f"take {path} away, to two places offline; without it no copy can be brought back")
        return {
            "id": made.id,
            "name": "recovery key",
            "state": "made",
            "public": made.public,
            "file": str(path),
        }


def _followed(command: Showing, args: Args, row: "Json") -> "Json":
    """The copy as it is when the work on it has ended, where somebody waits for that."""
    has_ended_well(command, args, row["operation_id"])
    if not args.wait:
        return row
    rows = command.client.rows("/database/copies", gone=True)
    return next(one for one in rows if one["id"] == row["id"])
