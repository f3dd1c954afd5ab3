"""`cloudctl site`: the clouds of the 1+N."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.commands import Args, Listing, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json


def site_path(client: "Client", wanted: str) -> str:
    """The address of the site with this id or title."""
    return f"/sites/{quote(str(client.find('/sites', wanted)['id']), safe='')}"


def checked(row: "Json") -> "Json":
    """What a look at a cloud found, in short: what is missing whole, what is well counted."""
    shown: Json = {}
    for key in ("id", "name", "mode", "state", "user", "checked_at"):
        if row.get(key) is not None:
            shown[key] = row[key]
    services = row.get("services", ())
    shown["services"] = ", ".join(f"{one['name']} {one['detail']}".strip() for one in services)
    rights = row.get("rights", ())
    shown["rights"] = f"{sum(one['is_held'] for one in rights)} of {len(rights)} held"
    for key in ("problems", "advice"):
        if row.get(key):
            shown[key] = "\n".join(f"{one['place']}: {one['message']}" for one in row[key])
    if row.get("topology"):
        shown["topology"] = row["topology"]
    return shown


class List(Listing):
    """List the clouds."""

    columns = ("id", "name", "role", "division", "mode", "state", "checked_at")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/sites")


class Show(Showing):
    """Show a cloud with its zones and what the last check found."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("site", metavar="SITE", help="id or name")

    def one(self, args: Args) -> "Json":
        return self.client.get(site_path(self.client, args.site))


class Check(Show):
    """Sign in to a cloud and look whether every right and every name of the catalogue is there."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument(
            "--zero-default-quotas",
            action="store_true",
            help="first set the cloud's default quotas to zero: no project made beside cloudctl has any",
        )

    def for_people(self, row: "Json") -> "Json":
        return checked(row)

    def one(self, args: Args) -> "Json":
        zero = "?zero_default_quotas=true" if args.zero_default_quotas else ""
        return self.client.post(f"{site_path(self.client, args.site)}/check{zero}")


class Sync(Show):
    """Compare what a cloud has with what is known of it; nothing is changed there."""

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{site_path(self.client, args.site)}/sync")


class Connect(Showing):
    """Connect a cloud of one's own: the rights that are needed, and which are missing."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "site",
            metavar="SITE",
            nargs="?",
            help="id or name; leave it out before the topology knows the cloud",
        )
        parser.add_argument(
            "--cloud", metavar="NAME", help="its entry in clouds.yaml (default: the topology's)"
        )
        parser.add_argument(
            "--observe", action="store_true", help="only look: nothing will ever be made there"
        )

    def for_people(self, row: "Json") -> "Json":
        return checked(row)

    def one(self, args: Args) -> "Json":
        site = self.client.id_of("/sites", args.site) if args.site else None
        mode = "observe" if args.observe else "managed"
        body = {"site": site, "cloud": args.cloud, "mode": mode}
        return self.client.post("/sites/connect", {key: value for key, value in body.items() if value})
