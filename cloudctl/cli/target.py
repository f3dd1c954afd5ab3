"""`cloudctl target`: what has to be reached by when, who is behind, and urging them."""

import argparse
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint
from cloudctl.cli.migration import SCOPE_HELP, scope_of

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

TO = {"cities": "divisions", "counties": "divisions", "divisions": "divisions", "departments": "departments"}
STATES = ("reached", "open", "overdue", "unknown", "empty", "closed")


def document_list(file: str, key: str) -> "list[Json]":
    """The list under a key of a YAML file. A Complaint when there is none."""
    import yaml

    try:
        with open(file, encoding="utf-8") as opened:
            document = yaml.safe_load(opened)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Complaint("bad_input", f"{file} cannot be read: {error}") from error
    rows = document.get(key) if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Complaint("bad_input", f"{file} has no list of mappings under `{key}`")
    return [
        {str(name): value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
        for row in rows
    ]


class List(Listing):
    """List targets with how they stand now, the next that is due first."""

    columns = (
        "id", "name", "scope_name", "measure", "target", "rate", "behind", "due_on", "days_left", "state",
        "lamp",
    )  # fmt: skip

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--scope", metavar="SCOPE", help=SCOPE_HELP)
        parser.add_argument("--measure", metavar="MEASURE", help="migration_rate, ipv6_rate, coverage, ...")
        parser.add_argument("--state", choices=STATES)
        parser.add_argument("--closed", action="store_true", help="also those that are closed")

    def rows(self, args: Args) -> "list[Json]":
        scope = scope_of(self.client, args.scope)
        query = {"scope": scope, "measure": args.measure, "state": args.state, "closed": args.closed or None}
        return self.client.rows("/targets", **query)


class Show(Showing):
    """Show a target with its parts, whether they are enough, and what was said about it."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("target", metavar="N", type=int)

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/targets/{args.target}")

    def for_people(self, row: "Json") -> "Json":
        shown = {key: value for key, value in row.items() if value not in (None, [], {})}
        if row.get("parts"):
            shown["parts"] = "\n".join(_part(part) for part in row["parts"])
        if row.get("notes"):
            shown["notes"] = "\n".join(
                f"{one['state']} {one['by_name']}: {one['name']}" for one in row["notes"]
            )
        return shown


class Create(Show):
    """Set a target: a scope, what is measured, how much of it by when, and the document that says so."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("scope", metavar="SCOPE", help=SCOPE_HELP)
        parser.add_argument(
            "measure", metavar="MEASURE", help="migration_rate, verified_rate, ipv6_rate, ..."
        )
        parser.add_argument("value", metavar="PERCENT", help="95, or 99.5")
        parser.add_argument("--by", required=True, metavar="DAY", dest="due_on", help="the last day")
        parser.add_argument("--name", required=True, help="what people call it")
        parser.add_argument("--source", required=True, help="the document (文号)")
        parser.add_argument("--leader", help="分管领导")
        parser.add_argument("--unit", help="责任单位")
        parser.add_argument("--person", help="责任人")

    def one(self, args: Args) -> "Json":
        keys = ("measure", "value", "due_on", "name", "source", "leader", "unit", "person")
        told = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
        return self.client.post("/targets", {**told, "scope": scope_of(self.client, args.scope)})


class Apply(Listing):
    """Make open targets say what a YAML file says; again changes nothing."""

    columns = ("id", "name", "scope", "measure", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="as examples/targets.yaml")
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def rows(self, args: Args) -> "list[Json]":
        body = {"targets": document_list(args.file, "targets"), "dry_run": args.dry_run}
        answer = self.client.post("/targets/apply", body)
        rows: list[Json] = answer["items"]
        return rows


class Decompose(Listing):
    """Give a target its parts, listed or evenly, and say whether they are enough."""

    columns = ("id", "scope", "value", "due_on", "rate", "denominator")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("target", metavar="N", type=int)
        parser.add_argument(
            "parts",
            metavar="SCOPE=PERCENT",
            nargs="*",
            help="division:450100=90; without =PERCENT the target's",
        )
        parser.add_argument("--to", choices=sorted(TO), help="evenly to all of them")
        parser.add_argument("--dry-run", action="store_true", help="only show what would be set")

    def rows(self, args: Args) -> "list[Json]":
        parts = [self._part(one) for one in args.parts]
        body = {"parts": parts, "to": TO[args.to] if args.to else None, "dry_run": args.dry_run}
        made = self.client.post(f"/targets/{args.target}/decompose", body)
        if made["is_enough"] is False:
            self.say(f"not enough: when every part reaches its own, {made['short']} are still missing")
        if made["not_covered"]:
            self.say(f"{made['not_covered']} are in no part and count as they are now")
        rows: list[Json] = made["parts"]
        return rows

    def _part(self, text: str) -> "Json":
        scope, has_value, value = text.partition("=")
        part: Json = {"scope": scope_of(self.client, scope)}
        return {**part, "value": value} if has_value else part


class Urge(Showing):
    """Urge the people of a target's scope (催办); they are told with the figures of now."""

    verb = "urge"

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("target", metavar="N", type=int)
        parser.add_argument("text", metavar="TEXT", help="what the others read")

    def one(self, args: Args) -> "Json":
        answer = self.client.post(f"/targets/{args.target}/{self.verb}", {"text": args.text})
        if not answer["told"]:
            self.say("nobody holds a role there: nobody was told")
        return answer


class Report(Urge):
    """Report on a target (报送); whoever set it or urged is told."""

    verb = "report"


class Close(Show):
    """Close a target: it is no longer followed."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("target", metavar="N", type=int)
        parser.add_argument("--reason", default="")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/targets/{args.target}/close", {"reason": args.reason})


def _part(part: Mapping[str, Any]) -> str:
    return f"{part['id']} {part['scope_name']}: {part['rate'] or '—'} of {part['target']}, {part['state']}"
