"""`cloudctl dr traffic` and `cloudctl dr shift`: the share of people that each site gets, and its change."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.backup import add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class TrafficList(Listing):
    """List the names of plans with the share of each site."""

    columns = ("id", "name", "plan", "weights", "writer", "ttl_s", "is_frozen", "state")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/traffic")


class TrafficShow(Showing):
    """Show a name: its parts and where each answers, what has to be known of its data, its last shifts."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_name(parser)

    def one(self, args: Args) -> "Json":
        return self.client.get(_path(args.name))

    def for_people(self, row: "Json") -> "Json":
        shown = {key: value for key, value in row.items() if value not in (None, [], {})}
        shown["parts"] = "\n".join(f"{one['name']}: {one['serving']}" for one in row["parts"])
        shown["notes"] = "\n".join(one["message"] for one in row["notes"])
        shown["shifts"] = "\n".join(f"{one['id']} {one['state']} {one['after']}" for one in row["shifts"])
        return shown


class TrafficApply(Showing):
    """Keep the name of a plan in the name service; with a file, by its limits. Again changes nothing."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="its name")
        parser.add_argument("--limits", metavar="FILE", help="YAML: watch, headroom, load_per_s, ...")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        body: Json = {"plan": args.plan, "limits": _document(args.limits) if args.limits else None}
        row = self.client.post("/traffic", body)
        if row["shift"] is not None:
            has_ended_well(self, args, self.client.get(f"/traffic/shifts/{row['shift']}")["operation_id"])
        return self.client.get(_path(args.plan))


class Start(Showing):
    """Move people to a site, or to shares: step by step, each watched before the next."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_name(parser)
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--to", metavar="SITE", help="everybody goes there")
        where.add_argument("--weights", metavar="SITE=N,...", help="hundredths, as province=75,city-1=25")
        parser.add_argument("--soak", type=int, metavar="SECONDS", help="how long each step is watched")
        parser.add_argument(
            "--set-aside", metavar="RULE", action="append", default=[], help="a rule not to keep to"
        )
        parser.add_argument("--reason", metavar="TEXT", default="")
        parser.add_argument("--dry-run", action="store_true", help="show steps and rules, change nothing")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        body: Json = {"to": args.to, "soak_s": args.soak, "set_aside": args.set_aside, "reason": args.reason}
        body["weights"] = _weights(args.weights) if args.weights else None
        if args.dry_run:
            row = self.client.post(f"{_path(args.name)}/preview", body)
            for fault in row["faults"]:
                self.say(f"{fault['place']}: {fault['message']}")
            self.exit_code = exits.REFUSED if row["faults"] else exits.HAS_CHANGES
            return row
        row = self.client.post(f"{_path(args.name)}/shifts", body)
        has_ended_well(self, args, row["operation_id"])
        return self.client.get(f"/traffic/shifts/{row['id']}")


class List(Listing):
    """List shifts, the newest first."""

    columns = ("id", "name", "before", "after", "position", "asked_by", "why", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--name", metavar="NAME", help="of one name or plan")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/traffic/shifts", args.limit, name=args.name)


class Show(Showing):
    """Show a shift: its steps, how far it has come, and what was seen from outside."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/traffic/shifts/{args.shift}")


class Halt(Showing):
    """People stay where they are by now, until the shift goes on or is taken back."""

    verb = "halt"

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--reason", metavar="TEXT", default="")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        row = self.client.post(f"/traffic/shifts/{args.shift}/{self.verb}", {"reason": args.reason})
        if self.verb != "halt":
            has_ended_well(self, args, row["operation_id"])
        return self.client.get(f"/traffic/shifts/{args.shift}")


class Resume(Halt):
    """A halted shift goes on with the step at which it stood."""

    verb = "resume"


class RollBack(Halt):
    """People go to where they were before the shift, in one change."""

    verb = "roll-back"


class Freeze(Showing):
    """Nobody is moved by this name until `thaw`; a shift that is under way halts."""

    verb = "freeze"

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_name(parser)
        parser.add_argument("--reason", metavar="TEXT", default="")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{_path(args.name)}/{self.verb}", {"reason": args.reason})


class Thaw(Freeze):
    """People may be moved again."""

    verb = "thaw"


def _path(name: str) -> str:
    return f"/traffic/{quote(name, safe='')}"


def _weights(text: str) -> "dict[str, int]":
    """`province=75,city-1=25` as numbers by site."""
    weights: dict[str, int] = {}
    for word in text.split(","):
        site, _, number = word.strip().partition("=")
        if not site or not number.isdecimal():
            raise exits.bad_usage(f"--weights {word}: write SITE=N")
        weights[site] = int(number)
    return weights


def _document(file: str) -> "Json":
    import yaml

    try:
        with open(file, encoding="utf-8") as opened:
            document = yaml.safe_load(opened)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Complaint("bad_input", f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise Complaint("bad_input", f"{file} is no mapping of limits")
    return document


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name, its number, or its plan")


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shift", metavar="SHIFT", type=int, help="its number")
