"""`cloudctl migration snapshot`: the figures of a month, frozen with their rule and list."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.migration import SCOPE_HELP, scope_of

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

_KEY = "the id, a month (2026-11), or latest"


class Take(Showing):
    """Freeze a month: its figures, its list and its rule under one hash."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("month", metavar="MONTH", help="2026-11")
        parser.add_argument("--rule", metavar="RULE", help="count by this rule (default: the one in use)")
        parser.add_argument("--reason", default="", help="why, when the month is frozen already")

    def one(self, args: Args) -> "Json":
        body = {"month": args.month, "rule": args.rule, "reason": args.reason}
        return self.client.post("/migration/snapshots", body)

    def for_people(self, row: "Json") -> "Json":
        return _brief(row)


class List(Listing):
    """List the snapshots, the newest month first."""

    columns = ("id", "month", "revision", "state", "rule", "cut_off_at", "made_by", "reason", "sha256")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--month", metavar="MONTH", help="only of this month")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/migration/snapshots", month=args.month)


class Show(Showing):
    """Show a snapshot with its figures and what to ask about them."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("snapshot", metavar="SNAPSHOT", help=_KEY)
        parser.add_argument("--scope", metavar="SCOPE", help=SCOPE_HELP)

    def one(self, args: Args) -> "Json":
        scope = scope_of(self.client, args.scope)
        return self.client.get(f"/migration/snapshots/{quote(args.snapshot, safe='')}", scope=scope)

    def for_people(self, row: "Json") -> "Json":
        return _brief(row)


class Systems(Listing):
    """List the systems of a snapshot, as they counted."""

    columns = ("id", "name", "department", "division", "stage", "reason", "weight_hundredths", "verified")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("snapshot", metavar="SNAPSHOT", help=_KEY)
        parser.add_argument("--scope", metavar="SCOPE", help=SCOPE_HELP)
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many (default: all)")

    def rows(self, args: Args) -> "list[Json]":
        scope = scope_of(self.client, args.scope)
        path = f"/migration/snapshots/{quote(args.snapshot, safe='')}/systems"
        return self.client.rows(path, args.limit, scope=scope)


class Diff(Listing):
    """List the systems that came, went or count differently between two snapshots."""

    columns = ("id", "name", "department", "what", "before", "now")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("before", metavar="BEFORE", help=_KEY)
        parser.add_argument("now", metavar="NOW", help=_KEY)

    def rows(self, args: Args) -> "list[Json]":
        path = f"/migration/snapshots/{quote(args.now, safe='')}/differences"
        return self.client.rows(path, beside=args.before)


class Verify(Showing):
    """Count every hash anew; exit code 1 when a snapshot is not what was written."""

    def one(self, args: Args) -> "Json":
        verdict = self.client.post("/migration/snapshots/verify")
        if not verdict["intact"]:
            self.exit_code = exits.FAILED
            for fault in verdict["faults"]:
                self.say(f"snapshot_broken: {fault['place']}: {fault['message']}")
        return verdict


def _brief(row: "Json") -> "Json":
    """One line for each figure and each flag."""
    figures = [
        f"{one['name']} {one['group']}: {one['numerator']} / {one['denominator']} = {one['rate'] or '—'} %"
        f" (verified {one['verified_rate'] or '—'} %)"
        for one in row["figures"]
    ]
    flags = [f"{one['name']}: {one['text']}" for one in row["flags"]]
    return {**row, "figures": "\n".join(figures), "flags": "\n".join(flags)}
