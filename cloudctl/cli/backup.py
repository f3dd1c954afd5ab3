"""`cloudctl backup`: how protection stands, a point now, bringing one back, and rebuilding from a vault."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import bucket, exits, following
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import bad_usage

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

LEVELS = ("L0", "L1", "L2", "L3", "L4")


def add_waiting(parser: argparse.ArgumentParser) -> None:
    """The options of every command that can wait for what it has begun."""
    parser.add_argument("--wait", action="store_true", help="wait until it has ended")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than this")


def has_ended_well(command: Showing | Listing, args: Args, operation_id: int | None) -> bool:
    """Wait for the work; whether it is done. True at once when nobody asked to wait."""
    if not args.wait or operation_id is None:
        return True
    with following.reporter(command.app.stderr, "operation") as report:
        path = f"/operations/{operation_id}"
        ended = following.follow_work(command.client, path, report, args.timeout)
    if ended["state"] != "done":
        command.exit_code = exits.FAILED
        command.say(f"{ended['error_code'] or ended['state']}: {ended['error_message'] or ''}".strip())
    return bool(ended["state"] == "done")


class Status(Listing):
    """Show what is backed up and what would be lost now, the worst first."""

    columns = ("system_name", "site", "policy", "tier", "state", "rpo_s", "used_per_cent", "level", "missed")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--policy", metavar="POLICY")
        parser.add_argument("--system", metavar="CODE|NAME")

    def rows(self, args: Args) -> "list[Json]":
        system = self.client.id_of("/systems", args.system)
        found = self.client.rows("/backup/members", policy=args.policy, system=system)
        lost = 10**9  # nothing of it counts yet: worse than any percentage
        used = "used_per_cent"
        return sorted(found, key=lambda row: -(lost if row[used] is None else row[used]))


class Coverage(Listing):
    """Show for each tier how many systems have to have it, and how many have it, proved."""

    columns = ("id", "name", "must", "covered", "lacking", "share")

    def rows(self, args: Args) -> "list[Json]":
        found = self.client.get("/backup/overview")
        if found["unprotected"]:
            self.say(f"{len(found['unprotected'])} systems have to be protected and are in no policy:")
            for row in found["unprotected"][:20]:
                self.say(f"  {row['id']} {row['name']}: {row['tier']}")
        rows: list[Json] = found["coverage"]
        return rows


class Run(Listing):
    """Take a point now of a system, or of every member of a policy."""

    columns = ("id", "name", "site", "kind", "state", "note")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", nargs="?", help="code or name")
        parser.add_argument("--policy", metavar="POLICY", help="id or name")
        parser.add_argument("--site", metavar="SITE", help="only what is at this cloud")
        parser.add_argument("--full", action="store_true", help="a full point, whatever the policy says")
        add_waiting(parser)

    def rows(self, args: Args) -> "list[Json]":
        if (args.system is None) == (args.policy is None):
            raise bad_usage("give either a SYSTEM or --policy")
        body: Json = {"full": args.full}
        for key, value in (
            ("system", self.client.id_of("/systems", args.system)),
            ("policy", args.policy),
            ("site", self.client.id_of("/sites", args.site)),
        ):
            if value is not None:
                body[key] = value
        rows: list[Json] = self.client.post("/backup/run", body)["items"]
        for row in rows:
            has_ended_well(self, args, row["operation_id"])
        return [self._now(row) for row in rows] if args.wait else rows

    def _now(self, row: "Json") -> "Json":
        if row["id"] is None:
            return row
        return {**row, "state": self.client.get(f"/points/{row['id']}")["state"]}


class Restore(Showing):
    """Bring a point back: as new volumes, as a system of its own, or over what is there."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "point", metavar="POINT", help="id, or its first characters; of a bucket also NAME@SITE"
        )
        bucket.add_restoring(parser)
        parser.add_argument("--to", metavar="SITE", help="default: where the data was")
        parser.add_argument("--project", metavar="PROJECT", help="default: the system's own at that cloud")
        parser.add_argument("--from", metavar="SITE", dest="source", help="the vault to read from")
        parser.add_argument(
            "--volume",
            metavar="N|VOLUME[=NAME[:TYPE]]",
            action="append",
            help="only this one; may be repeated",
        )
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--servers", action="store_true", help="start servers with the volumes as well")
        way.add_argument(
            "--over",
            action="store_true",
            help="the servers of the system get the volumes; what they have is kept; a second person decides",
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="needed for --over")
        for word in ("flavor", "type", "zone"):
            parser.add_argument(
                f"--{word}",
                metavar="WAS=NAME",
                action="append",
                default=[],
                help="another one; may be repeated",
            )
        parser.add_argument(
            "--beyond-quota", action="store_true", help="also where the quota is short; for who sets quotas"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be made, and what is wrong"
        )
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        body: Json = {
            "site": self.client.id_of("/sites", args.to),
            "project": args.project,
            "vault": self.client.id_of("/sites", args.source),
            "mode": "system" if args.servers else "over" if args.over else "volumes",
            "reason": args.reason,
            "beyond_quota": args.beyond_quota,
            "flavors": _mapping(args.flavor),
            "types": _mapping(args.type),
            "zones": _mapping(args.zone),
        }
        if args.volume:
            body["volumes"] = [_volume(one) for one in args.volume]
        if bucket.is_meant(args):
            begun = bucket.restore(self.client, args)
            has_ended_well(self, args, begun["operation_id"])
            return self.client.get(f"/points/restores/{begun['id']}")
        path = f"/points/{quote(args.point, safe='')}/restore"
        if args.dry_run:
            return self._planned(self.client.post(f"{path}/preview", body))
        made = self.client.post(path, body)
        if made["state"] == "awaiting":
            self.say(f"a second person decides: cloudctl restore approve {made['id']}")
        has_ended_well(self, args, made["operation_id"])
        return self.client.get(f"/points/restores/{made['id']}")

    def _planned(self, plan: "Json") -> "Json":
        for what in ("faults", "notes"):
            for one in plan[what]:
                hint = f" ({one['hint']})" if one["hint"] else ""
                self.say(f"{what[:-1]}: {one['place']}: {one['message']}{hint}")
        if plan["faults"]:
            self.exit_code = exits.REFUSED
        return plan


class Rebuild(Showing):
    """Take up every point of a vault that the database does not know: after the loss of everything else."""

    columns = ("name", "state", "points", "new", "expired")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="source", metavar="SITE|s3://BUCKET", required=True, help="a vault of stores.yaml"
        )
        parser.add_argument("--installation", default="", help="only points of this one (default: of all)")

    def one(self, args: Args) -> "Json":
        row = self.client.post("/backup/rebuild", {"vault": args.source, "installation": args.installation})
        for what in ("faults", "notes"):
            for one in row[what]:
                self.say(
                    f"{what[:-1]}: " + ", ".join(f"{key} {value}" for key, value in one.items() if value)
                )
        if row["faults"]:
            self.exit_code = exits.FAILED
        return row


def _volume(text: str) -> "Json":
    number, _, rest = text.partition("=")
    name, _, kind = rest.partition(":")
    if not number:
        raise bad_usage("a volume is written VOLUME, VOLUME=NAME or VOLUME=NAME:TYPE", f"'{text}' names none")
    which: Json = {"position": int(number)} if number.isdigit() else {"volume": number}
    return {**which, **({"name": name} if name else {}), **({"type": kind} if kind else {})}


def _mapping(words: list[str]) -> dict[str, str]:
    """`WAS=NAME` each."""
    pairs = [word.partition("=") for word in words]
    if wrong := [was for was, _, name in pairs if not was or not name]:
        raise bad_usage("another one is written WAS=NAME", f"'{wrong[0]}' has no NAME")
    return {was: name for was, _, name in pairs}


def sites_path(client: "Client", wanted: str, verb: str) -> str:
    """The address of a vault's verb, for the id or name of its site."""
    return f"/backup/vaults/{quote(str(client.id_of('/sites', wanted)), safe='')}/{verb}"
