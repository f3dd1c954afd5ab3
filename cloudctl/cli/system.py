"""`cloudctl system`: the register of information systems."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint, bad_usage

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

DAY = "YYYY-MM-DD"
NOTES = 20  # that are told after an import


def path_of(key: str, more: str = "") -> str:
    """The address of a system."""
    return f"/systems/{quote(key, safe='')}{more}"


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options that choose systems."""
    parser.add_argument("--department", metavar="CODE|NAME", help="only of this department")
    parser.add_argument("--division", metavar="CODE|NAME", help="only of this division and all inside it")
    parser.add_argument("--stage", metavar="STAGE", help="registered, agreed, done, exempt, retired, ...")
    parser.add_argument("--hosting", metavar="WHERE", help="own_room, colocation, gov_cloud, ...")
    parser.add_argument("--classified", choices=("yes", "no"))
    parser.add_argument("--text", metavar="TEXT", help="with this in code or name")
    parser.add_argument("--as-of", metavar=DAY, help="as they were at the end of this day")


def filters(client: "Client", args: Args) -> "dict[str, Any]":
    """The options as the API takes them."""
    return {
        "department": client.id_of("/departments", args.department),
        "division": client.id_of("/divisions", args.division),
        "stage": args.stage,
        "hosting": args.hosting,
        "classified": None if args.classified is None else args.classified == "yes",
        "text": args.text,
        "as_of": args.as_of,
    }


class List(Listing):
    """List the information systems."""

    columns = ("id", "name", "department", "division_name", "stage", "hosting", "mlps_level")

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_filters(parser)

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/systems", **filters(self.client, args))


class Show(Showing):
    """Show an information system."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")
        parser.add_argument("--as-of", metavar=DAY, help="as it was at the end of this day")

    def one(self, args: Args) -> "Json":
        return self.client.get(path_of(args.system), as_of=args.as_of)

    def for_people(self, row: "Json") -> "Json":
        return {key: value for key, value in row.items() if value not in (None, "", [])}


class History(Listing):
    """Show what the register said of a system from one moment to the next, the newest first."""

    columns = ("valid_from", "valid_to", "changed_by", "reason", "changes")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")

    def rows(self, args: Args) -> "list[Json]":
        rows: list[Json] = self.client.get(path_of(args.system, "/history"))["items"]
        return rows


class Set(Showing):
    """Set fields of a system; a code that is new makes one."""

    columns: ClassVar[tuple[str, ...]] = ()

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name; a new code makes a system")
        parser.add_argument(
            "fields",
            metavar="FIELD=VALUE",
            nargs="+",
            help="dr_tier=2, or 灾备等级=2; nothing after the sign clears the field",
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="kept with the history")

    def one(self, args: Args) -> "Json":
        fields: dict[str, str | None] = {}
        for pair in args.fields:
            name, sign, value = pair.partition("=")
            if not sign or not name:
                raise bad_usage("a field is set with FIELD=VALUE", f"'{pair}'")
            fields[name] = value or None
        body = {"fields": fields, "reason": args.reason}
        return self.client.put(path_of(args.system), body)

    def for_people(self, row: "Json") -> "Json":
        return {key: value for key, value in row.items() if value not in (None, "", [])}


class Merge(Showing):
    """Merge a system into another: it lives on there and is counted there only."""

    columns = ("id", "name", "state", "stage", "merged_into")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")
        parser.add_argument("--into", metavar="SYSTEM", required=True, help="the one that stays")
        parser.add_argument("--reason", metavar="TEXT", default="", help="kept with the history")

    def one(self, args: Args) -> "Json":
        return self.client.post(path_of(args.system, "/merge"), {"into": args.into, "reason": args.reason})


class Import(Showing):
    """Import a sheet of systems: all rows or none. Exit code 64 when rows have faults."""

    columns = (
        "name", "state", "created", "updated", "unchanged", "faulty", "cleared", "exemptions_asked",
    )  # fmt: skip

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help=".xlsx, .xls, or .csv in UTF-8 or GBK")
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
        parser.add_argument("--partial", action="store_true", help="import the rows without faults")
        parser.add_argument("--sheet", metavar="NAME", help="the sheet to read, when several hold data")
        parser.add_argument("--faults", metavar="OUT.xlsx", help="save the sheet with the faults in red")

    def one(self, args: Args) -> "Json":
        content = content_of(args.file)
        try:
            made = self._send(args, content, dry_run=args.dry_run)
        except Complaint as complaint:
            if args.faults and complaint.code == "bad_input":
                self._save_faults(args, self._previewed(args, content))
            raise
        self._save_faults(args, made)
        if made["faulty"]:
            self.exit_code = exits.USAGE
        self._tell(made)
        return made

    def _previewed(self, args: Args, content: bytes) -> "Json":
        """The preview, which keeps the sheet of faults; nothing when the file itself cannot be read."""
        try:
            return self._send(args, content, dry_run=True)
        except Complaint:
            return {"faults_document": None}

    def _send(self, args: Args, content: bytes, dry_run: bool) -> "Json":
        query = {
            "name": Path(args.file).name,
            "sheet": args.sheet,
            "dry_run": dry_run,
            "partial": args.partial,
        }
        headers = {"Content-Type": "application/octet-stream"}
        return self.client.call("POST", "/systems/import", query, content, headers)

    def _save_faults(self, args: Args, made: "Json") -> None:
        if args.faults and made.get("faults_document"):
            save(args.faults, self.client.download(f"/documents/{made['faults_document']}"))
            self.say(f"the sheet with the faults in red: {args.faults}")

    def _tell(self, made: "Json") -> None:
        """Every fault on a line, and the first notes."""
        notes = [fault for row in made["warnings"] for fault in row["faults"]]
        for fault in (fault for row in made["rows"] for fault in row["faults"]):
            self.say(f"  {fault['place']}: {fault['message']}")
        for fault in notes[:NOTES]:
            self.say(f"  note: {fault['place']}: {fault['message']}")
        if len(notes) > NOTES:
            self.say(f"  {len(notes) - NOTES} more notes")


class Export(Showing):
    """Save systems as a sheet that can be changed and imported again."""

    columns = ("name", "bytes")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="to be written; .xlsx or .csv")
        add_filters(parser)

    def one(self, args: Args) -> "Json":
        form = Path(args.file).suffix.removeprefix(".").lower()
        if form not in ("xlsx", "csv"):
            raise bad_usage("a sheet is saved as .xlsx or .csv", f"'{args.file}'")
        content = self.client.download("/systems/export", format=form, **filters(self.client, args))
        return saved(args.file, content)


class Template(Showing):
    """Save the sheet that offices fill in."""

    columns = ("name", "bytes")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.xlsx", help="to be written")

    def one(self, args: Args) -> "Json":
        return saved(args.file, self.client.download("/systems/template"))


def content_of(file: str) -> bytes:
    """The bytes of a file; what is in them is judged by the server."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Complaint("bad_input", f"{file} cannot be read: {error.strerror}") from error


def save(file: str, content: bytes) -> None:
    """Write a file that the server made."""
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise Complaint("bad_input", f"{file} cannot be written: {error.strerror}") from error


def saved(file: str, content: bytes) -> "Json":
    """Write the file, and say so as a row."""
    save(file, content)
    return {"id": None, "name": file, "state": None, "bytes": len(content)}
