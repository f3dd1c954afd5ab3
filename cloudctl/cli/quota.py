"""`cloudctl quota`: limits, what is held and used, and why something does not fit."""

import argparse
from typing import TYPE_CHECKING

from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import bad_usage
from cloudctl.errors import BadInput

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

KINDS = ("instances", "vcpus", "ram_mib", "volumes", "volume_gib", "ports")
SCOPES = {"project": "/projects", "department": "/departments", "division": "/divisions"}
_SCOPE_HELP = "department:gx-finance, division:450000 or project:ID; names instead of ids are fine"


def scope_of(client: "Client", text: str | None) -> str | None:
    """`department:财政厅` as `department:gx-finance`."""
    if text is None:
        return None
    kind, found, wanted = text.partition(":")
    if not found or kind not in SCOPES:
        raise bad_usage("a scope is written KIND:ID", f"'{text}': kind is one of {', '.join(SCOPES)}")
    return f"{kind}:{client.id_of(SCOPES[kind], wanted)}"


def amount(text: str, kind: str) -> int | None:
    """A limit as a number in the unit of its kind; `none` for no limit. Sizes may be written 1TiB."""
    if text == "none":
        return None
    if text.isdigit():
        return int(text)
    if kind == "volume_gib":
        from cloudctl.amounts import parse_gib

        return parse_gib(text)
    if kind == "ram_mib":
        from cloudctl.amounts import parse_gib

        return parse_gib(text) * 1024
    raise BadInput("'{text}' is no amount of {kind}", text=text, kind=kind)


class Show(Listing):
    """Show limits with what is held, used and free."""

    columns = ("scope", "site", "kind", "limit", "held", "used", "free", "over")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--scope", metavar="SCOPE", help=_SCOPE_HELP)
        parser.add_argument("--site", metavar="SITE", help="only at this cloud")
        parser.add_argument("--kind", choices=KINDS)

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/quota",
            scope=scope_of(self.client, args.scope),
            site=self.client.id_of("/sites", args.site),
            kind=args.kind,
        )


class Set(Showing):
    """Set a limit, and what of it is guaranteed."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("scope", metavar="SCOPE", help=_SCOPE_HELP)
        parser.add_argument("kind", choices=KINDS)
        parser.add_argument("limit", metavar="LIMIT", help="a number, a size like 1TiB, or none")
        parser.add_argument("--guarantee", metavar="N", help="what nobody else can take away")
        parser.add_argument("--site", metavar="SITE", default="*", help="default: all clouds together")

    def one(self, args: Args) -> "Json":
        site = args.site if args.site == "*" else self.client.id_of("/sites", args.site)
        body = {
            "scope": scope_of(self.client, args.scope),
            "site": site,
            "kind": args.kind,
            "limit": amount(args.limit, args.kind),
        }
        if args.guarantee is not None:
            body["guarantee"] = amount(args.guarantee, args.kind)
        return self.client.put("/quota", body)


class Explain(Listing):
    """Show every level that limits a project or department at a cloud, the tightest marked."""

    columns = ("kind", "scope", "site", "limit", "guarantee", "free", "tightest")

    def options(self, parser: argparse.ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument("--project", metavar="PROJECT")
        group.add_argument("--department", metavar="CODE|NAME")
        group.add_argument("--division", metavar="CODE|NAME")
        parser.add_argument("--site", metavar="SITE")

    def rows(self, args: Args) -> "list[Json]":
        query = {
            "project": self.client.id_of("/projects", args.project),
            "department": self.client.id_of("/departments", args.department),
            "division": self.client.id_of("/divisions", args.division),
            "site": self.client.id_of("/sites", args.site),
        }
        return items(self.client.get("/quota/explain", **query))


class Drift(Listing):
    """Show where the counters differ from the rows they count."""

    columns = ("scope", "site", "kind", "number", "is", "must_be")

    def rows(self, args: Args) -> "list[Json]":
        return items(self.client.get("/quota/drift"))


class Repair(Listing):
    """Set the counters to what the rows say."""

    columns = Drift.columns

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only show what would be set")

    def rows(self, args: Args) -> "list[Json]":
        if args.dry_run:
            return items(self.client.get("/quota/drift"))
        return items(self.client.post("/quota/repair"))


def items(answer: "Json") -> "list[Json]":
    """The rows of an answer that is one page."""
    rows: list[Json] = answer.get("items", [])
    return rows
