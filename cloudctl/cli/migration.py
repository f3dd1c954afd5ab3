"""`cloudctl migration`: rates, who is ahead, where it is going, and what stands behind each number."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import bad_usage

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

SCOPES = {"division": "/divisions", "own": "/divisions", "department": "/departments"}
SCOPE_HELP = "division:450100, own:450000 (本级) or department:gx-finance; names instead of ids are fine"
RULE_HELP = "count by this rule, gx-2026@1 for example (default: the one in use)"
ON_HELP = "as it was on that day, 2026-06-30 (default: now)"
_FIGURE = (
    "name", "group", "numerator", "denominator", "rate", "verified_rate", "unknown", "idle", "target",
    "deadline", "state", "rule", "on",
)  # fmt: skip


def scope_of(client: "Client", text: str | None) -> str | None:
    """`department:财政厅` as `department:gx-finance`."""
    if text is None:
        return None
    kind, found, wanted = text.partition(":")
    if not found or kind not in SCOPES:
        raise bad_usage("a scope is written KIND:ID", f"'{text}': kind is one of {', '.join(SCOPES)}")
    return f"{kind}:{client.id_of(SCOPES[kind], wanted)}"


def add_day_and_rule(parser: argparse.ArgumentParser) -> None:
    """The options that say when, and by which rule."""
    parser.add_argument("--on", metavar="DAY", help=ON_HELP)
    parser.add_argument("--rule", metavar="RULE", help=RULE_HELP)


class Rate(Listing):
    """Show how much of what should be on the cloud is on the cloud, reported and verified."""

    columns = _FIGURE

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--scope",
            metavar="SCOPE",
            help=f"{SCOPE_HELP}; default: the province, its own level and each city",
        )
        parser.add_argument("--by", choices=("all", "new", "mlps", "level"), default="all")
        add_day_and_rule(parser)

    def rows(self, args: Args) -> "list[Json]":
        scope = scope_of(self.client, args.scope)
        query = {"scope": scope, "by": args.by, "on": args.on, "rule": args.rule}
        return self.client.rows("/migration/rate", **query)


class Ranking(Listing):
    """Rank cities, counties or departments by their rate; equal rates share a rank."""

    columns = ("rank", *_FIGURE[:1], *_FIGURE[2:9], "still_to_move", *_FIGURE[10:])

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--of", choices=("cities", "counties", "departments"), default="cities")
        parser.add_argument("--within", metavar="SCOPE", help="only inside this division: division:450100")
        add_day_and_rule(parser)

    def rows(self, args: Args) -> "list[Json]":
        within = scope_of(self.client, args.within)
        query = {"of": args.of, "within": within, "on": args.on, "rule": args.rule}
        return self.client.rows("/migration/ranking", **query)


class Forecast(Showing):
    """Show the pace that a target needs and where the rate is going, with an 80 % interval."""

    columns = (
        "id", "name", "state", "rate", "target", "deadline", "still_to_move", "pace_needed", "pace_so_far",
        "expected_rate", "low_rate", "high_rate", "reached_in", "reached_earliest", "reached_latest",
        "months", "why_text", "rule", "on",
    )  # fmt: skip

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--scope", metavar="SCOPE", help=f"{SCOPE_HELP}; default: the province")
        parser.add_argument("--target", metavar="PERCENT", help="95.00, instead of the target that is set")
        parser.add_argument("--deadline", metavar="DAY", help="instead of the target's own")
        parser.add_argument("--rule", metavar="RULE", help=RULE_HELP)

    def one(self, args: Args) -> "Json":
        query = {"target": args.target, "deadline": args.deadline, "rule": args.rule}
        return self.client.get("/migration/forecast", scope=scope_of(self.client, args.scope), **query)


class Flags(Listing):
    """Show what to ask about: shares that jumped since the last frozen month, and the like."""

    columns = ("name", "state", "text", "compared_with", "rule")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--scope", metavar="SCOPE", help=SCOPE_HELP)
        add_day_and_rule(parser)

    def rows(self, args: Args) -> "list[Json]":
        scope = scope_of(self.client, args.scope)
        return self.client.rows("/migration/flags", scope=scope, on=args.on, rule=args.rule)


class Evidence(Listing):
    """List the systems behind a number, each with its evidence; or one system."""

    columns = ("id", "name", "department", "stage", "state", "reason", "verified", "whys")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", nargs="?", help="code or name of one system")
        parser.add_argument("--scope", metavar="SCOPE", help=SCOPE_HELP)
        parser.add_argument(
            "--which",
            default="registered",
            help="registered, counted, moved, to_move, verified, unverified, unknown, idle or excluded",
        )
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many (default: all)")
        add_day_and_rule(parser)

    def rows(self, args: Args) -> "list[Json]":
        query = {"on": args.on, "rule": args.rule}
        if args.system is not None:
            rows = [self.client.get(f"/migration/evidence/{quote(args.system, safe='')}", **query)]
        else:
            scope = scope_of(self.client, args.scope)
            rows = self.client.rows("/migration/evidence", args.limit, scope=scope, which=args.which, **query)
        if args.formatter in ("json", "yaml"):
            return rows
        return [{**row, "whys": "; ".join(map(_why, row["evidence"]))} for row in rows]


def _why(piece: "Json") -> str:
    return f"{piece['name']}: {piece['value']} ({piece['why']})"
