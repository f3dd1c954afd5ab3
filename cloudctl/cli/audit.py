"""`cloudctl audit`: read, verify and take out the chain of events."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing, Verb

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options that choose events."""
    parser.add_argument("--actor", metavar="USER", help="only what this person did")
    parser.add_argument("--action", metavar="ACTION", help="request.submit, role.grant, ...")
    parser.add_argument("--subject", metavar="KIND:ID", help="only about this, request:12 for example")


class List(Listing):
    """List events, the newest first."""

    columns = ("id", "at", "actor", "action", "subject", "details")

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_filters(parser)
        parser.add_argument(
            "--limit", type=int, metavar="N", default=50, help="at most so many (default: 50)"
        )

    def rows(self, args: Args) -> "list[Json]":
        query = {"actor": args.actor, "action": args.action, "subject": args.subject}
        return self.client.rows("/audit", args.limit, **query)


class Verify(Showing):
    """Read the whole chain against its signed heads; exit code 1 when it is not what was written."""

    def one(self, args: Args) -> "Json":
        verdict = self.client.post("/audit/verify")
        if not verdict["intact"]:
            self.exit_code = exits.FAILED
            for fault in verdict["faults"]:
                self.say(f"audit_broken: {fault['place']}: {fault['message']}")
        return verdict


class Export(Verb):
    """Write all events, the oldest first, one JSON object a line."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_filters(parser)
        parser.add_argument("--output", metavar="FILE", help="default: stdout")

    def take_action(self, parsed_args: Args) -> None:
        query = {"actor": parsed_args.actor, "action": parsed_args.action, "subject": parsed_args.subject}
        lines = [json.dumps(row, ensure_ascii=False) for row in self.client.rows("/audit", None, **query)]
        text = "".join(f"{line}\n" for line in reversed(lines))
        if parsed_args.output is None:
            sys.stdout.write(text)
            return
        with open(parsed_args.output, "w", encoding="utf-8") as file:
            file.write(text)
        self.say(f"{len(lines)} events written to {parsed_args.output}")
