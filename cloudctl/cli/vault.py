"""`cloudctl vault`: where points are kept, what the store's lock is worth, and how much room is left."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli.backup import sites_path
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

_HEX = re.compile(r"[0-9a-f]{64}")


def public_half(given: str) -> str:
    """The public half of an escrow key, from itself or from the key's file; the private half stays there."""
    if _HEX.fullmatch(given):
        return given
    try:
        public = json.loads(Path(given).expanduser().read_text(encoding="utf-8"))["public"]
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise Complaint("bad_input", f"{given} is no escrow key and no file of one: {error}") from error
    return str(public)


class List(Listing):
    """List the vaults with their locks as read back, and their room."""

    columns = ("site", "bucket", "lock_mode", "used_bytes", "promised_bytes", "free_bytes", "state")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/backup/vaults")


class Check(Showing):
    """Look at the vault of a site: its lock is read back from the store and put on record."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("site", metavar="SITE", help="id or name")
        parser.add_argument(
            "--escrow-key", metavar="KEY|FILE", help="needed the first time; only the public half is sent"
        )
        parser.add_argument("--limit", metavar="SIZE", help="how much may be put into it: 10TiB, or none")

    def one(self, args: Args) -> "Json":
        body: Json = {}
        if args.escrow_key:
            body["escrow_key"] = public_half(args.escrow_key)
        if args.limit:
            from cloudctl.amounts import parse_gib

            body["limit_bytes"] = 0 if args.limit == "none" else parse_gib(args.limit) << 30
        return self.client.post(sites_path(self.client, args.site, "check"), body)


class Key(Showing):
    """Make the escrow key of a site, on the machine of the installation.

    Whoever has the file opens every point that is wrapped to it; without it nobody does. Keep it offline, at
    two places. Where `serve` shall prove points by itself, a copy lies in keys/escrow/SITE.json of its home.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("site", metavar="SITE", help="the id of the site of the vault")
        parser.add_argument("file", metavar="FILE", help="where to write it; nothing is ever overwritten")

    def one(self, args: Args) -> "Json":
        from cloudctl.bootstrap import POINTS_KEY
        from cloudctl.clock import SystemClock
        from cloudctl.config import home_directory, load
        from cloudctl.escrow import EscrowKey
        from cloudctl.secrets import Signer

        settings = load(home_directory())
        signers = (Signer.of(settings.keys / POINTS_KEY).public,)
        path = Path(args.file).expanduser()
        made = EscrowKey.make(path, settings.installation, args.site, signers, SystemClock().now())
        self.say(f"keep {path} offline; then: cloudctl vault check {args.site} --escrow-key {path}")
        return {"id": made.id, "name": args.site, "state": "made", "public": made.public, "file": str(path)}
