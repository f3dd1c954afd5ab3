"""`cloudctl dr database`: databases of a plan that copy themselves from one site to the other."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli import exits
from cloudctl.cli.backup import add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.dr_plan import plan_path

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class SetUp(Showing):
    """Have the database at the other site follow the one where the system runs; again changes nothing.

    A server at the other site that had a database of its own keeps it beside, as `.cloudctl-before`. One that
    writes and was made of the same image, or was one with the other before, gives way with --anew only.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument(
            "--anew", action="store_true", help="what the other one wrote gives way, and is kept beside"
        )
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        row: Json = self.client.post(f"{plan_path(args.plan)}/databases/setup", {"is_anew": args.anew})
        if not args.wait:
            return row
        return {**row, "state": "done" if has_ended_well(self, args, row["operation_id"]) else "failed"}


class Lag(Listing):
    """Show how far behind the databases of a plan are that follow, as they were asked within the last minute.

    Exit code 5 when one does not follow.
    """

    columns = ("id", "name", "state", "writes", "follows", "behind_s", "behind_bytes", "seen_at", "problem")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")

    def rows(self, args: Args) -> "list[Json]":
        rows = self.client.rows(f"{plan_path(args.plan)}/databases")
        if any(row["state"] == "broken" for row in rows):
            self.exit_code = exits.UNAVAILABLE
        return rows
