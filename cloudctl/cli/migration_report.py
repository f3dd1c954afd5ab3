"""`cloudctl migration report`: the bulletin of a frozen month as page, PDF and workbook."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli import exits, following
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint
from cloudctl.cli.quota import scope_of

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

FORMATS = ("html", "pdf", "xlsx")
_SCOPE_HELP = "division:450000 or division:450100; a name instead of the code is fine (default: the province)"


class Report(Showing):
    """Make the bulletin of a frozen month for the province or a city, and save its files.

    The same frozen figures give the same bulletin again. `migration report list` lists what there is.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--month", metavar="MONTH", help="2026-11 (default: the newest that is frozen)")
        parser.add_argument("--scope", metavar="SCOPE", help=_SCOPE_HELP)
        parser.add_argument("--rule", metavar="RULE", help="figures by this rule (default: the one in use)")
        parser.add_argument("--issuer", default="", metavar="NAME", help="who signs it")
        parser.add_argument("--language", choices=("zh", "en"), default="zh")
        parser.add_argument(
            "--only", action="append", choices=FORMATS, help="only this format; may be repeated"
        )
        parser.add_argument("--out", metavar="DIR", help="wait, and save the files in this directory")
        parser.add_argument("--wait", action="store_true", help="wait until it is made")
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than this")

    def one(self, args: Args) -> "Json":
        body = {
            "month": args.month,
            "scope": scope_of(self.client, args.scope),
            "rule": args.rule,
            "issuer": args.issuer,
            "language": args.language,
            "formats": args.only or list(FORMATS),
        }
        made = self.client.post("/migration/reports", body)
        if not (args.wait or args.out):
            return made
        with following.reporter(self.app.stderr, "bulletin") as report:
            made = following.follow_work(
                self.client, f"/migration/reports/{made['id']}", report, args.timeout
            )
        if made["state"] != "done":
            self.exit_code = exits.FAILED
            self.say(f"{made['error_code']}: {made['error_message']}")
            return made
        return {**made, "saved": self._save(made, args)} if args.out else made

    def for_people(self, row: "Json") -> "Json":
        files = [file["name"] for file in row["documents"]]
        shown = {key: row[key] for key in ("id", "name", "state")}
        return {**shown, "files": "\n".join(row.get("saved") or files) or "-"}

    def _save(self, made: "Json", args: Args) -> list[str]:
        """Write the wanted files into the directory; their paths."""
        wanted = [file for file in made["documents"] if file["format"] in (args.only or FORMATS)]
        directory, saved = Path(args.out), []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for file in wanted:
                path = (
                    directory / Path(file["name"]).name
                )  # whatever a server says, not outside the directory
                path.write_bytes(self.client.download(f"/documents/{file['id']}"))
                saved.append(str(path))
        except OSError as error:
            raise Complaint("bad_input", f"the files cannot be saved: {error}") from error
        return saved


class List(Listing):
    """List the bulletins that were asked for, the newest first."""

    columns = ("id", "name", "state", "language", "progress_done", "progress_total", "asked_by", "created_at")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--month", metavar="MONTH", help="only of this month")
        parser.add_argument("--scope", metavar="SCOPE", help=_SCOPE_HELP)
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        scope = scope_of(self.client, args.scope)
        return self.client.rows("/migration/reports", args.limit, month=args.month, scope=scope)
