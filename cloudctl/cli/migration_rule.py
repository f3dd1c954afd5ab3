"""`cloudctl migration rule`: the rules of counting (统计口径), as versions that never change."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint
from cloudctl.cli.topology import content_of

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List every version of every rule of counting."""

    columns = ("id", "name", "state", "created_at", "created_by")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/migration/rules")


class Show(Showing):
    """Show a rule with all its switches; without a name the one in use."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("rule", metavar="NAME@VERSION", nargs="?", default="current")

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/migration/rules/{quote(args.rule, safe='@')}")


class Apply(Showing):
    """Keep a rule from a file as the next version of its name."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the rule as YAML or JSON")
        parser.add_argument("--use", action="store_true", help="count by it from now on")

    def one(self, args: Args) -> "Json":
        content = content_of(args.file)
        query = {"name": Path(args.file).name, "use": args.use}
        try:
            return self.client.call(
                "POST", "/migration/rules", query, content, {"Content-Type": "application/yaml"}
            )
        except Complaint as complaint:
            from tenants.topology.faults import beside_source

            complaint.faults = tuple(beside_source(fault, content) for fault in complaint.faults)
            raise


class Use(Showing):
    """Count by this rule from now on; months that are frozen stay as they are."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("rule", metavar="NAME@VERSION")

    def one(self, args: Args) -> "Json":
        return self.client.post("/migration/rules/use", {"rule": args.rule})
