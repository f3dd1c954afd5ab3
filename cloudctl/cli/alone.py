"""`cloudctl dr export`, `import`, `takeover`, `merge`: a site that can work alone, and what comes of it."""

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class ExportStatus(Listing):
    """Show what each site has to work alone with, and how old it is; at a site: what it has taken in.

    Exit code 5 when something is older than a minute, or missing.
    """

    columns = ("name", "state", "age_s", "changed_at", "sequence", "alone_at", "error")

    def rows(self, args: Args) -> "list[Json]":
        told = self.client.get("/alone")
        rows: list[Json] = [*told["exports"], *([told["standby"]] if told["standby"] else [])]
        is_old = any((row["age_s"] is None or row["age_s"] > told["old_s"]) for row in rows)
        if is_old:
            self.exit_code = exits.UNAVAILABLE
        for row in rows:
            if row["age_s"] is not None and row["age_s"] > told["old_s"]:
                self.say(f"{row['name']}: export is {row['age_s']:.0f} s old")
        return rows


class ExportNow(Listing):
    """Put everything that the sites need to work alone, now."""

    columns = ("name", "state", "age_s", "changed_at", "sequence", "error")

    def rows(self, args: Args) -> "list[Json]":
        rows: list[Json] = self.client.post("/alone/export", {})["items"]
        return rows


class ExportKey(Showing):
    """Make the standby key of a site, on a machine of the installation; from now on it is exported to.

    The file goes to the site, where `cloudctl dr import` needs it; nobody else may have it.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("site", metavar="SITE")
        parser.add_argument("file", metavar="FILE", help="where to write it; nothing is ever overwritten")

    def one(self, args: Args) -> "Json":
        from cloudctl.bootstrap import POINTS_KEY
        from cloudctl.clock import SystemClock
        from cloudctl.config import home_directory, load
        from cloudctl.secrets import Signer
        from dr.alone import keys

        settings = load(home_directory())
        path = Path(args.file).expanduser()
        signer = Signer.of(settings.keys / POINTS_KEY).public
        made = keys.make(settings, args.site, path, signer, SystemClock().now())
        self.say(f"bring {path} to the cloudctl of {args.site}, and leave no copy here")
        return {
            "id": made.id,
            "name": args.site,
            "state": "made",
            "public": made.public,
            "file": str(path),
        }


class ExportFile(Showing):
    """Write the export for a site (at a site that works alone: `home`) into a file, to be carried there."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("site", metavar="SITE")
        parser.add_argument("file", metavar="FILE", help="where to write it; nothing is ever overwritten")

    def one(self, args: Args) -> "Json":
        from cloudctl.bootstrap import SilentBell, keyring_of, open_core
        from cloudctl.clock import SystemClock
        from cloudctl.config import home_directory, load
        from dr.alone.exporting import as_file

        settings, path = load(home_directory()), Path(args.file).expanduser()
        core = open_core(settings, SystemClock(), SilentBell())
        try:
            body = as_file(core, keyring_of(settings), args.site)
        finally:
            core.store.close()
        os.umask(0o077)
        try:
            with path.open("xb") as file:
                file.write(body)
        except OSError as error:
            raise Complaint("bad_input", f"{path}: {error}") from error
        return {"id": args.site, "name": args.site, "state": "written", "file": str(path), "bytes": len(body)}


class Import(Showing):
    """At a site: take in what the home exported; the first time, set this home up as the site's own cloudctl.

    On the machine of the site's installation. The first time CLOUDCTL_HOME is empty but for stores.yaml.
    """

    columns = ("name", "state", "age_s", "sequence", "changed_at", "taken_in_at", "source")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--from", metavar="SITE|s3://BUCKET|FILE", dest="source", default="", help="(default: as before)"
        )
        parser.add_argument("--key", metavar="FILE", help="the standby key of the site; the first time")

    def one(self, args: Args) -> "Json":
        from cloudctl.config import home_directory
        from cloudctl.initialise import Wish
        from cloudctl.standing_by import take_in

        os.umask(0o077)
        wish = Wish(os.environ.get("CLOUDCTL_DATABASE", ""), os.environ.get("CLOUDCTL_BROKER", ""))
        key = Path(args.key).expanduser() if args.key else None
        source = args.source
        if source and Path(source).expanduser().is_file():
            source = str(Path(source).expanduser().absolute())
        row = take_in(home_directory(), source, key, wish)
        if row["age_s"] is not None and row["age_s"] > 60:
            self.say(f"export is {row['age_s']:.0f} s old")
        self.say("It stands by until two different people have run: cloudctl dr takeover")
        return {name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in row.items()}  # fmt: skip


class TakeOver(Showing):
    """At a site: say that the home is lost and this site works alone; two different people have to.

    With --end: the home is back and has merged what was done here; this site stands by again.
    """

    columns = ("name", "state", "age_s", "confirmed_by", "alone_at", "going")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--reason", metavar="TEXT", required=True, help="what was looked at")
        parser.add_argument("--end", action="store_true", help="stand by again")

    def one(self, args: Args) -> "Json":
        path = "/alone/standby" if args.end else "/alone/takeover"
        return self.client.post(path, {"reason": args.reason})

    def for_people(self, row: "Json") -> "Json":
        going = [f"{one['kind']} {one['name']} ({one['state']})" for one in row["going"]]
        return {**row, "going": ", ".join(going) or "-", "confirmed_by": ", ".join(row["confirmed_by"])}


class Release(Showing):
    """At a site that works alone: give back the register of a plan that a move of the lost home left closed.

    Then ask for a move as usual.
    """

    columns = ("name", "state", "holder", "epoch")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("--reason", metavar="TEXT", required=True)

    def one(self, args: Args) -> "Json":
        return self.client.post("/alone/release", {"plan": args.plan, "reason": args.reason})


class Merge(Showing):
    """At the home: show what a site did alone, and with --yes take the moves, and what they made.

    Nothing is written over that was changed here as well: such rows are listed as conflicts, and what is not
    taken is listed too. Where a plan runs is what the witness says.
    """

    columns = ("name", "state", "alone_at", "age_s", "moves", "plans", "taken", "conflicts", "left")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--from", metavar="SITE|s3://BUCKET", dest="source", required=True)
        parser.add_argument("--dry-run", action="store_true", help="only show it; so it is without --yes")
        parser.add_argument("--yes", action="store_true", help="do it")

    def one(self, args: Args) -> "Json":
        is_dry = args.dry_run or not args.yes
        return self.client.post("/alone/merge", {"source": args.source, "is_dry_run": is_dry})

    def for_people(self, row: "Json") -> "Json":
        def told(one: "Json") -> str:
            return " ".join(str(one[key]) for key in ("table", "name", "state", "why") if one.get(key))

        names = ("moves", "plans", "taken", "conflicts", "left")
        return {**row, **{name: "; ".join(map(told, row[name])) or "-" for name in names}}
