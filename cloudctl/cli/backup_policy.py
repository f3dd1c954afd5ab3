"""`cloudctl backup policy`: what is backed up, how often, for how long, whereto, how well it is proved."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import bucket
from cloudctl.cli.backup import LEVELS
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import bad_usage
from cloudctl.cli.request_create import TIERS
from cloudctl.cli.target import document_list

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

_FLAGS = ("tier", "every", "full_every", "lock", "level", "prove_every", "line_mbit")


def policy_path(wanted: str) -> str:
    """The address of the policy with this id or name."""
    return f"/backup/policies/{quote(wanted, safe='')}"


class List(Listing):
    """List the policies."""

    columns = ("id", "name", "tier", "state", "every_s", "vaults", "level", "covered", "members_count")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/backup/policies")


class Show(Showing):
    """Show a policy with what may be lost, the room it takes, and its members."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("policy", metavar="POLICY", help="id or name")

    def one(self, args: Args) -> "Json":
        return self.client.get(policy_path(args.policy))

    def for_people(self, row: "Json") -> "Json":
        shown = {key: value for key, value in row.items() if value not in (None, [], {})}
        if row.get("members"):
            shown["members"] = "\n".join(_member(one) for one in row["members"])
        return shown


class Apply(Listing):
    """Make policies say what a YAML file says, or one policy what the options say; again changes nothing."""

    columns = ("id", "name", "state", "forecast_bytes", "warnings")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", help="as examples/backup-policies.yaml")
        parser.add_argument("--name", metavar="NAME", help="one policy by options instead of a file")
        parser.add_argument("--tier", choices=TIERS)
        parser.add_argument("--vault", metavar="SITE", action="append", help="may be repeated")
        parser.add_argument("--every", metavar="TIME", help="1h, 4h, 1d, 1w")
        parser.add_argument("--full-every", type=int, metavar="N", help="every nth point is a full one")
        parser.add_argument("--window", metavar="FROM-UNTIL", help="22:00-06:00, in Beijing time")
        parser.add_argument("--line-mbit", type=int, metavar="N", help="of the line to the vault")
        parser.add_argument("--keep", metavar="WHAT=N", action="append", help="daily=14; may be repeated")
        parser.add_argument("--lock", metavar="TIME", help="how long nothing can delete a point: 14d")
        parser.add_argument("--level", choices=LEVELS[1:], help="to which points have to be proved")
        parser.add_argument("--prove-every", metavar="TIME")
        parser.add_argument(
            "--system", metavar="SYSTEM@SITE[/VOLUME]", action="append", help="a member; may be repeated"
        )
        parser.add_argument(
            "--check", metavar="CHECK", action="append",
            help="how each member is asked whether it answers (L4): KIND://SERVER:PORT/PATH [STATUS] [TEXT],"
            " with * for every server; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--bucket", metavar="SYSTEM@SITE/BUCKET", action="append", help="a member; may be repeated"
        )
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def rows(self, args: Args) -> "list[Json]":
        if (args.file is None) == (args.name is None):
            raise bad_usage("give either a FILE or --name")
        documents = document_list(args.file, "policies") if args.file else [self._document(args)]
        answer = self.client.post("/backup/policies/apply", {"policies": documents, "dry_run": args.dry_run})
        rows: list[Json] = answer["items"]
        for row in rows:
            for warning in row["warnings"]:
                self.say(f"{row['name']}: {warning['place']}: {warning['message']}")
        return [{**row, "warnings": [one["code"] for one in row["warnings"]]} for row in rows]

    def _document(self, args: Args) -> "Json":
        told = {key: getattr(args, key) for key in _FLAGS if getattr(args, key) is not None}
        if args.window:
            opens, _, closes = args.window.partition("-")
            told["window"] = {"from": opens, "until": closes}
        if args.keep:
            pairs = [one.partition("=") for one in args.keep]
            told["retention"] = {key: int(n) if n.isdigit() else n for key, _, n in pairs}
        if args.system:
            said = {"checks": [check_of(one) for one in args.check]} if args.check else {}
            told["members"] = [{**self._member(one), **said} for one in args.system]
        elif args.check:
            raise bad_usage("--check is of a member", "name it with --system")
        if args.bucket:
            buckets = [bucket.member(self.client, one) for one in args.bucket]
            told["members"] = [*told.get("members", ()), *buckets]
        vaults = [self.client.id_of("/sites", one) for one in args.vault or ()]
        return {**told, "name": args.name, "vaults": vaults}

    def _member(self, text: str) -> "Json":
        system, has_site, rest = text.partition("@")
        if not has_site:
            raise bad_usage("a member is written SYSTEM@SITE", f"'{text}' names no site")
        site, _, volume = rest.partition("/")
        member = {"system": self.client.id_of("/systems", system), "site": self.client.id_of("/sites", site)}
        return {**member, "name": volume} if volume else member


class Suspend(Show):
    """Suspend a policy: no new points until it is resumed; what is there stays."""

    verb = "suspend"

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--reason", default="", help="why")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{policy_path(args.policy)}/{self.verb}", {"reason": args.reason})


class Resume(Suspend):
    """Resume a suspended policy; what was missed is caught up with one point."""

    verb = "resume"


class Retire(Suspend):
    """Retire a policy for good; its points stay as long as they would have."""

    verb = "retire"


def check_of(text: str) -> "Json":
    """A check as people write it: `http://vm1:80/health 200 ok`, `postgresql://*`, `tcp://*:22`."""
    place, _, rest = text.strip().partition(" ")
    kind, has_kind, where = place.partition("://")
    if not has_kind:
        raise bad_usage("a check is written KIND://SERVER:PORT/PATH", f"'{text}' names no kind")
    host, has_path, path = where.partition("/")
    server, _, port = host.partition(":")
    status, _, contains = rest.partition(" ") if rest[:3].isdigit() else ("", "", rest)
    told = {
        "kind": kind,
        "server": "" if server == "*" else server,
        "port": int(port) if port.isdigit() else port or None,
        "path": f"/{path}" if has_path else "",
        "status": int(status) if status.isdigit() else status,
        "contains": contains.strip(),
    }
    return {key: value for key, value in told.items() if value not in ("", None)}


def _check(one: "Json") -> str:
    text = f"{one['kind']}://{one.get('server') or '*'}:{one['port']}{one.get('path', '')}"
    return " ".join(str(word) for word in (text, one.get("status"), one.get("contains")) if word)


def _member(one: "Json") -> str:
    lost = "nothing counts yet" if one["rpo_s"] is None else f"{one['rpo_s']} s old"
    checks = "".join(f"\n  {_check(each)}" for each in one.get("checks") or ())
    return f"{one['system']}@{one['site']}: {one['state']}, {lost}, {one['level'] or '-'}{checks}"
