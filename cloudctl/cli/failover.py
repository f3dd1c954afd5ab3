"""`cloudctl dr failover`, `cloudctl dr failback`: a system moves to its other site; two people decide."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli.backup import add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List moves, the newest first."""

    columns = ("id", "name", "kind", "from_site", "site", "asked_by", "rpo_s", "rto_s", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--plan", metavar="PLAN", help="id or name")
        parser.add_argument("--state", metavar="STATE", help="requested, shifted, aborted, ...")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/failovers", args.limit, plan=args.plan, state=args.state)


class Start(Showing):
    """Ask that a system moves to its other site; `--dry-run` shows what would be lost."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("--to", metavar="SITE", help="default: the other of the plan's two sites")
        parser.add_argument(
            "--unplanned",
            action="store_true",
            help="the old site is gone: two of three places have to see that",
        )
        parser.add_argument("--point", metavar="POINT", help="another recovery point than the newest")
        parser.add_argument("--reason", metavar="TEXT", default="", help="for those who decide")
        parser.add_argument(
            "--accept-stale",
            action="store_true",
            help="although no drill of the plan as it is has passed (only with --unplanned)",
        )
        parser.add_argument("--dry-run", action="store_true", help="change nothing, say what is in the way")

    def one(self, args: Args) -> "Json":
        kind = "unplanned" if args.unplanned else "planned"
        body = {"plan": args.plan, "kind": kind, "to": args.to, "point": args.point,
                "reason": args.reason, "accept_stale": args.accept_stale}  # fmt: skip
        if args.dry_run:
            return self.client.post("/failovers/preview", body)
        row = self.client.post("/failovers", body)
        self.say(f"two people decide: cloudctl dr failover approve {row['id']}")
        return row


class Show(Showing):
    """Show a move: what is lost, who said yes, when each state was reached, and what proves the fence."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/failovers/{args.failover}")


class Approve(Showing):
    """Say yes to a move as its plan is now; the second yes begins it."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        _add_plan_hash(parser)
        parser.add_argument("--opinion", metavar="TEXT", default="")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        body = {"plan_sha256": args.plan_sha256 or _shown(self, args), "opinion": args.opinion}
        row = self.client.post(f"/failovers/{args.failover}/approve", body)
        if row["operation_id"] is not None:
            has_ended_well(self, args, row["operation_id"])
        return self.client.get(f"/failovers/{args.failover}")


class Reject(Showing):
    """Say no to a move, and why; whoever asked takes it back this way."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--opinion", metavar="TEXT", default="")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/failovers/{args.failover}/reject", {"opinion": args.opinion})


class Abort(Showing):
    """Give a move back to the old site; possible until the data at the new one is promoted."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--reason", metavar="TEXT", required=True)

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/failovers/{args.failover}/abort", {"reason": args.reason})


class Commit(Showing):
    """Say that the system stays where it moved to."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/failovers/{args.failover}/commit")


class BreakGlass(Showing):
    """Go on without evidence or proof; two people of different roles each say why and what may conflict."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        _add_plan_hash(parser)
        parser.add_argument("--reason", metavar="TEXT", required=True)
        parser.add_argument(
            "--conflict", metavar="TEXT", required=True, help="what the old site may have written since"
        )

    def one(self, args: Args) -> "Json":
        body = {"plan_sha256": args.plan_sha256 or _shown(self, args), "reason": args.reason,
                "conflict": args.conflict}  # fmt: skip
        return self.client.post(f"/failovers/{args.failover}/break-glass", body)


class Enrol(Showing):
    """Make the witness's entry of a plan, open where its system runs."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")

    def one(self, args: Args) -> "Json":
        return self.client.post("/failovers/enrol", {"plan": args.plan})


class Failback(Showing):
    """Make the site ready from which a system came; then ask for a planned move to it."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("--reason", metavar="TEXT", required=True)
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        row = self.client.post("/failbacks", {"plan": args.plan, "reason": args.reason})
        has_ended_well(self, args, row["operation_id"])
        self.say(f"then: cloudctl dr failover start {args.plan}")
        return row


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("failover", metavar="FAILOVER", type=int, help="its number")


def _add_plan_hash(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plan-sha256", metavar="HASH", help="of the plan that you looked at (default: as shown now)"
    )


def _shown(verb: Showing, args: Args) -> str:
    return str(verb.client.get(f"/failovers/{args.failover}")["plan_sha256"])
