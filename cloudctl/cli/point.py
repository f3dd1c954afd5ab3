"""`cloudctl point`: recovery points, each with the level to which it is proved and how old that is."""

import argparse
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.backup import LEVELS, add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


def point_path(wanted: str) -> str:
    """The address of the point with this id, or whose id begins so."""
    return f"/points/{quote(wanted, safe='')}"


class List(Listing):
    """List recovery points, the newest first."""

    columns = ("id", "name", "taken_at", "kind", "level", "verified_at", "bytes", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--system", metavar="CODE|NAME")
        parser.add_argument("--site", metavar="SITE", help="where the data was")
        parser.add_argument("--policy", metavar="POLICY")
        parser.add_argument("--state", metavar="STATE", help="protected, sealed, suspect, ...")
        parser.add_argument("--gone", action="store_true", help="also those that have expired or failed")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/points",
            args.limit,
            system=self.client.id_of("/systems", args.system),
            policy=self.client.id_of("/backup/policies", args.policy),
            site=self.client.id_of("/sites", args.site),
            state=args.state,
            gone=args.gone or None,
        )


class Show(Showing):
    """Show a point with its volumes, copies, proofs and restores."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("point", metavar="POINT", help="id, or its first characters")

    def one(self, args: Args) -> "Json":
        return self.client.get(point_path(args.point))

    def for_people(self, row: "Json") -> "Json":
        shown = {key: value for key, value in row.items() if value not in (None, [], {}, "")}
        shown.pop("topology", None)
        for key, line in (
            ("volumes", "{position} {name}: {size_gib} GiB {type}"),
            ("copies", "{site}: {state}, {lock_mode}, {objects_done}/{objects_total} objects"),
            ("proofs", "{started_at} {level} from {site}: {state}, reached {reached}"),
            ("restores", "{id} to {site}: {state}"),
        ):
            if row.get(key):
                shown[key] = "\n".join(line.format(**one) for one in row[key])
        return shown


class Verify(Show):
    """Read every object of a point from a vault and check its hashes (L1)."""

    level: ClassVar[str | None] = "L1"

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--from", metavar="SITE", dest="source", help="the vault to read from")
        add_waiting(parser)

    def for_people(self, row: "Json") -> "Json":
        return {key: value for key, value in row.items() if value not in (None, {}, "")}

    def one(self, args: Args) -> "Json":
        body = {"level": self.wanted(args), "site": self.client.id_of("/sites", args.source)}
        told = {key: value for key, value in body.items() if value is not None}
        begun = self.client.post(f"{point_path(args.point)}/prove", told)
        has_ended_well(self, args, begun["operation_id"])
        proof = self.client.get(f"/points/proofs/{begun['id']}")
        if args.wait and proof["state"] != "passed":
            self.exit_code = exits.FAILED
        return proof

    def wanted(self, args: Args) -> str | None:
        """The level to prove; None: what the policy demands."""
        return self.level


class Test(Verify):
    """Restore a point elsewhere and compare it byte by byte (L2), boot it (L3), ask its application (L4)."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--level", choices=LEVELS[2:], help="default: what the policy demands")

    def wanted(self, args: Args) -> str | None:
        return str(args.level) if args.level else None


class Expire(Show):
    """Give up now what the retention gives up anyway."""

    def for_people(self, row: "Json") -> "Json":
        return row

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{point_path(args.point)}/expire")
