"""`cloudctl dr report`: what drills and moves have shown, as files that can be checked."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing, Verb
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

FORMATS = ("pdf", "html", "json")


def report_path(wanted: str) -> str:
    """The address of the report with this id."""
    return f"/dr/reports/{quote(wanted, safe='')}"


class List(Listing):
    """List the reports of drills and moves, the newest first."""

    columns = ("id", "name", "system", "site", "ended_at", "rpo_s", "rto_s", "state")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--plan", metavar="PLAN", help="only of this plan, by id or name")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/dr/reports", args.limit, plan=args.plan)


class Show(Showing):
    """Show a report: verdict, figures against objectives, segments, checks, what was left behind."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_key(parser)

    def one(self, args: Args) -> "Json":
        return self.client.get(report_path(args.report))

    def for_people(self, row: "Json") -> "Json":
        keys = ("id", "name", "state", "why", "system_name", "site", "begun_at", "ended_at", "rpo_s", "rto_s")
        shown = {key: row[key] for key in keys if row[key] not in (None, "")}
        shown["objectives"] = f"RPO {row['objectives']['rpo_s']} s, RTO {row['objectives']['rto_s']} s"
        segments = (row["recovery_time"] or {}).get("segments", ())
        shown["segments"] = "\n".join(_segment(one) for one in segments) or "-"
        shown["checks"] = "\n".join(
            f"{'passed' if one['is_passed'] else 'FAILED'} {one['name']}" for one in row["checks"]
        )
        level = row["levels"]["reached"]
        shown["level"] = f"{level} ({row['levels']['edition']}, an example)" if level else "-"
        shown["left_behind"] = "\n".join(row["left_behind"]) or "nothing"
        return {**shown, "sha256": row["sha256"]}


class Get(Verb):
    """Save a report as a file: a PDF or a page for people, JSON for programs. Prints where."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_key(parser)
        parser.add_argument("--format", choices=FORMATS, default="pdf", help="default: pdf")
        parser.add_argument("--language", choices=("zh", "en"), default="zh")
        parser.add_argument(
            "--out", metavar="FILE", help="where to; default: its own name, in this directory"
        )

    def take_action(self, parsed_args: Args) -> int:
        asked = parsed_args
        query = {"format": asked.format, "language": asked.language}
        content = self.client.download(f"{report_path(asked.report)}/file", **query)
        path = Path(asked.out or Path(f"dr-report-{asked.report}.{asked.format}").name)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise Complaint("bad_input", f"the file cannot be saved: {error}") from error
        self.app.stdout.write(f"{path}\n")
        return exits.DONE


class Verify(Showing):
    """Check the saved file of a report (json or html): hash, signature, audit chain.

    Ends with 1 when something is wrong with it.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")

    def one(self, args: Args) -> "Json":
        try:
            content = Path(args.file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            hint = "a PDF cannot be checked, the JSON or HTML of the same report can"
            raise Complaint("bad_input", f"{args.file} cannot be read: {error}; {hint}") from error
        row = self.client.post("/dr/reports/verify", {"content": content})
        if row["state"] != "intact":
            self.exit_code = exits.FAILED
        return row

    def for_people(self, row: "Json") -> "Json":
        told = "\n".join(f"{one['place']}: {one['message']}" for one in row["faults"])
        return {**row, "faults": told or "none"}


def _segment(one: "Json") -> str:
    if not one["is_exercised"]:
        return f"{one['name']}: not exercised"
    return f"{one['name']}: {'-' if one['seconds'] is None else one['seconds']} s"


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", metavar="REPORT", help="its id: drill-12, failover-3")
