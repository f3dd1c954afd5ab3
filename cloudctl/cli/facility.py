"""`cloudctl facility`: what is to go when systems have moved, and what still costs money."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.migration_stage import pairs
from cloudctl.cli.target import document_list

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

KINDS = ("private_network", "website", "machine_room", "internet_exit", "self_built_cloud")


class List(Listing):
    """List private networks, web sites, machine rooms, internet exits and clouds of one's own."""

    columns = ("id", "name", "kind", "department_name", "state", "ends_on", "ended_on", "yearly_cost_yuan")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--kind", choices=KINDS)
        parser.add_argument("--state", choices=("in_use", "planned", "ended"))
        parser.add_argument("--division", metavar="CODE|NAME", help="only of this division and all below it")

    def rows(self, args: Args) -> "list[Json]":
        division = self.client.id_of("/divisions", args.division)
        return self.client.rows("/facilities", kind=args.kind, state=args.state, division=division)


class Show(Showing):
    """Show a facility."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("facility", metavar="CODE")

    def one(self, args: Args) -> "Json":
        return self.client.get(_path(args))


class Set(Show):
    """Register a facility, or change what is given of one.

    Fields: name, kind, department, ends_on, yearly_cost_yuan, document, systems (codes with commas), domain.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("fields", metavar="FIELD=VALUE", nargs="+")
        parser.add_argument("--dry-run", action="store_true", help="only say what would become of it")

    def one(self, args: Args) -> "Json":
        given = pairs(args.fields)
        if "department" in given:
            given["department"] = str(self.client.id_of("/departments", given["department"]))
        if args.dry_run:
            body = {"facilities": [{"code": args.facility, **given}], "dry_run": True}
            [row] = self.client.post("/facilities/apply", body)["items"]
            return dict(row)
        return self.client.put(_path(args), given)


class Apply(Listing):
    """Register or change the facilities of a YAML file, all or nothing."""

    columns = ("id", "name", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a list under `facilities`, each with its code")
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def rows(self, args: Args) -> "list[Json]":
        body = {"facilities": document_list(args.file, "facilities"), "dry_run": args.dry_run}
        rows: list[Json] = self.client.post("/facilities/apply", body)["items"]
        return rows


class End(Show):
    """Say that a facility has ended; a web site that was merged keeps its domain and its owner."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--on", required=True, metavar="DAY", dest="ended_on")
        parser.add_argument("--document", required=True, help="that says so")
        parser.add_argument("--into", metavar="TEXT", help="what a web site was merged into")
        parser.add_argument("--domain", help="under which the merged web site answers")
        parser.add_argument("--owner", metavar="CODE|NAME", help="department that keeps it")

    def one(self, args: Args) -> "Json":
        told = {key: getattr(args, key) for key in ("ended_on", "document", "into", "domain")}
        told["owner"] = self.client.id_of("/departments", args.owner)
        body = {key: value for key, value in told.items() if value is not None}
        return self.client.post(f"{_path(args)}/end", body)


class Reopen(Show):
    """Say that a facility has not ended after all, and why."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--reason", required=True)

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{_path(args)}/reopen", {"reason": args.reason})


class Milestones(Listing):
    """Show how many facilities of each kind there were, are left and are overdue, by division."""

    columns = (
        "name",
        "kind",
        "at_start",
        "ended",
        "left",
        "overdue",
        "rate",
        "cost_left_yuan",
        "cost_saved_yuan",
    )

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--division", metavar="CODE|NAME", help="only this one")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/facilities/milestones", division=self.client.id_of("/divisions", args.division)
        )


class Coverage(Listing):
    """Show which departments take part, by division, level and kind of organisation."""

    columns = ("id", "name", "level", "departments", "by_level", "by_kind")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/facilities/coverage")


class Costs(Listing):
    """Show what still costs money though its day is over or its systems have moved."""

    columns = ("id", "name", "kind", "department_name", "reasons", "days_over", "yearly_cost_yuan")

    def rows(self, args: Args) -> "list[Json]":
        found = self.client.get("/facilities/costs")
        rows: list[Json] = found["items"]
        self.say(f"{found['yearly_cost_yuan']} yuan a year; {found['without_cost']} without a cost")
        return rows


def _path(args: Args) -> str:
    return f"/facilities/{quote(args.facility, safe='')}"
