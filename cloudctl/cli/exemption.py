"""`cloudctl migration exempt`: systems that need not move, asked by one person and decided by another."""

import argparse
from typing import TYPE_CHECKING, ClassVar

from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List exemptions, the newest first."""

    columns = ("id", "name", "department_name", "state", "until", "clause", "document", "asked_by_name")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--state", metavar="STATE", help="asked, approved, rejected, ended, ...")
        parser.add_argument("--system", metavar="CODE|NAME", help="only of this system")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        system = self.client.id_of("/systems", args.system)
        return self.client.rows("/exemptions", args.limit, state=args.state, system=system)


class Ask(Showing):
    """Ask that a system need not move, until a day at most three years ahead."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")
        parser.add_argument("--clause", required=True, help="of the policy that allows it (依据)")
        parser.add_argument("--document", required=True, help="number of the approval (批文)")
        parser.add_argument("--until", required=True, metavar="DAY", help="the last day on which it holds")
        parser.add_argument("--reason", required=True)

    def one(self, args: Args) -> "Json":
        told = {key: getattr(args, key) for key in ("system", "clause", "document", "until", "reason")}
        return self.client.post("/exemptions", told)


class Deciding(Showing):
    """One person's word on an exemption."""

    verb: ClassVar[str]
    needs_opinion: ClassVar[bool] = False

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("exemption", metavar="N", type=int)
        parser.add_argument("--opinion", default="", required=self.needs_opinion, help="what the others read")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/exemptions/{args.exemption}/{self.verb}", {"opinion": args.opinion})


class Approve(Deciding):
    """Approve an exemption somebody else has asked for."""

    verb = "approve"


class Reject(Deciding):
    """Reject an exemption somebody else has asked for; says why."""

    verb = "reject"
    needs_opinion = True


class Revoke(Deciding):
    """End an approved exemption before its day; says why."""

    verb = "revoke"
    needs_opinion = True


class Withdraw(Showing):
    """Take back an exemption one has asked for oneself."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("exemption", metavar="N", type=int)

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/exemptions/{args.exemption}/withdraw")
