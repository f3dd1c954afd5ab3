"""`cloudctl wave`: systems that move together, checked against quota and room, and their requests."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.migration import SCOPE_HELP, scope_of
from cloudctl.cli.request import read_form

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json


def wave_id(client: "Client", wanted: str) -> str:
    """The id of a wave for its id or name."""
    return str(client.find("/waves", wanted)["id"])


class List(Listing):
    """List the waves in their order."""

    columns = (
        "id", "name", "scope_name", "state", "starts_on", "ends_on", "is_pilot", "systems_count",
        "moved_count",
    )  # fmt: skip

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--state", choices=("draft", "running", "done", "cancelled"))

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/waves", state=args.state)


class Show(Showing):
    """Show a wave with its systems."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("wave", metavar="WAVE", help="number or name")

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/waves/{wave_id(self.client, args.wave)}")

    def for_people(self, row: "Json") -> "Json":
        return {**row, "systems": "\n".join(_system(one) for one in row["systems"]) or "-"}


class Create(Show):
    """Plan a wave; it is a draft until it is started."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--scope", required=True, metavar="SCOPE", help=SCOPE_HELP)
        parser.add_argument("--from", required=True, metavar="DAY", dest="starts_on")
        parser.add_argument("--to", required=True, metavar="DAY", dest="ends_on")
        parser.add_argument(
            "--after", metavar="WAVE", action="append", default=[], help="comes after this wave"
        )
        parser.add_argument("--position", type=int, metavar="N")
        parser.add_argument("--pilot", action="store_true", help="a pilot (试点)")

    def one(self, args: Args) -> "Json":
        body = {
            "name": args.name,
            "scope": scope_of(self.client, args.scope),
            "starts_on": args.starts_on,
            "ends_on": args.ends_on,
            "position": args.position,
            "is_pilot": args.pilot,
            "after": [int(wave_id(self.client, one)) for one in args.after],
        }
        return self.client.post("/waves", body)


class Edit(Show):
    """Change a wave that has not ended; what is not given stays."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--name")
        parser.add_argument("--from", metavar="DAY", dest="starts_on")
        parser.add_argument("--to", metavar="DAY", dest="ends_on")
        parser.add_argument("--after", metavar="WAVE", action="append", help="replaces what was there")
        parser.add_argument("--pilot", choices=("yes", "no"))

    def one(self, args: Args) -> "Json":
        told: Json = {
            key: getattr(args, key) for key in ("name", "starts_on", "ends_on") if getattr(args, key)
        }
        if args.after is not None:
            told["after"] = [int(wave_id(self.client, one)) for one in args.after]
        if args.pilot:
            told["is_pilot"] = args.pilot == "yes"
        return self.client.call("PATCH", f"/waves/{wave_id(self.client, args.wave)}", body=told)


class Add(Show):
    """Put a system into a wave, or change its place, what it waits for and what it will need."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("system", metavar="SYSTEM", help="code or name")
        parser.add_argument(
            "--form", metavar="FILE", help="the request it will need, as YAML or JSON; - for stdin"
        )
        parser.add_argument("--after", metavar="SYSTEM", action="append", help="waits for this system")
        parser.add_argument("--position", type=int, metavar="N")

    def one(self, args: Args) -> "Json":
        after = args.after and [self.client.id_of("/systems", one) for one in args.after]
        form = read_form(args.form) if args.form else None
        body = {"position": args.position, "after": after, "form": form}
        system = str(self.client.id_of("/systems", args.system))
        path = f"/waves/{wave_id(self.client, args.wave)}/systems/{quote(system, safe='')}"
        return self.client.put(path, {key: value for key, value in body.items() if value is not None})


class Remove(Show):
    """Take a system out of a wave."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("system", metavar="SYSTEM", help="code or name")

    def one(self, args: Args) -> "Json":
        wave, system = wave_id(self.client, args.wave), str(self.client.id_of("/systems", args.system))
        self.client.delete(f"/waves/{wave}/systems/{quote(system, safe='')}")
        return self.client.get(f"/waves/{wave}")


class Check(Show):
    """Check a wave's order, dates, systems, and whether all it needs fits together; exit code 3 when not."""

    def one(self, args: Args) -> "Json":
        found = self.client.get(f"/waves/{wave_id(self.client, args.wave)}/check")
        if not found["is_clean"]:
            self.exit_code = exits.REFUSED
        return found

    def for_people(self, row: "Json") -> "Json":
        return {
            "is_clean": row["is_clean"],
            "first_short": row["first_short"],
            "needed": row["needed"],
            "faults": "\n".join(f"{one['place']}: {one['message']}" for one in row["faults"]) or "-",
            "shortages": "\n".join(one["message"] for one in row["shortages"]) or "-",
        }


class Start(Check):
    """Begin a wave; refused with everything that is in the way."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--dry-run", action="store_true", help="only check")

    def one(self, args: Args) -> "Json":
        if args.dry_run:
            return super().one(args)
        return self.client.post(f"/waves/{wave_id(self.client, args.wave)}/start")

    def for_people(self, row: "Json") -> "Json":
        return super().for_people(row) if "is_clean" in row else Show.for_people(self, row)


class Open(Listing):
    """Send the requests of a running wave for which I may ask; exit code 3 when any was not sent."""

    columns = ("id", "name", "state", "request", "message")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("wave", metavar="WAVE", help="number or name")

    def rows(self, args: Args) -> "list[Json]":
        answer = self.client.post(f"/waves/{wave_id(self.client, args.wave)}/open")
        rows: list[Json] = answer["items"]
        if any(row["state"] not in ("submitted", "already") for row in rows):
            self.exit_code = exits.REFUSED
        return rows


class Finish(Show):
    """End a wave once all its systems have moved; refused with those that have not."""

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/waves/{wave_id(self.client, args.wave)}/finish")


class Cancel(Show):
    """Give a wave up; requests that were sent go their own way."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--reason", default="")

    def one(self, args: Args) -> "Json":
        number = wave_id(self.client, args.wave)
        return self.client.post(f"/waves/{number}/cancel", {"reason": args.reason})


def _system(one: Mapping[str, Any]) -> str:
    words = f"{one['id']} {one['name']}: {one['state']}"
    if one.get("after"):
        words += f", after {', '.join(one['after'])}"
    return f"{words}, request {one['request']}" if one.get("request") else words
