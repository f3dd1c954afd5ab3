"""`cloudctl topology`: the 1+N as one file; a plan says what would change, apply changes it."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

MAX_BYTES = 8 * 2**20


class Plan(Listing):
    """Show what a topology file would change; exit code 2 when there is anything."""

    columns = ("action", "kind", "id", "name", "differing")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the topology as YAML")
        parser.add_argument("--out", metavar="PLAN", help="keep the plan, for `topology apply PLAN`")
        parser.add_argument("--summary", action="store_true", help="only how many of each kind")

    def rows(self, args: Args) -> "list[Json]":
        answer = self.planned(args.file)
        if args.out:
            Path(args.out).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
        for over in answer["plan"].get("over", ()):
            self.say("note: {scope} at {site}: {kind} limit {limit}, {load} are taken already".format(**over))
        for blocked in answer["plan"].get("blocked", ()):
            self.say("in the way: {place}: {message}".format(**blocked))
        if answer["changes"]:
            self.exit_code = exits.HAS_CHANGES
        else:
            self.say("no changes")
        changes: list[Json] = answer["changes"]
        return summed(changes) if args.summary else changes

    def usual(self, args: Args) -> Sequence[str]:
        return ("action", "kind", "count") if args.summary else self.columns

    def planned(self, file: str) -> "Json":
        """The server's plan for a file."""
        headers = {"Content-Type": "application/yaml"}
        content = content_of(file)
        try:
            return self.client.call("POST", "/topology/plan", {"name": Path(file).name}, content, headers)
        except Complaint as complaint:
            from tenants.topology.faults import beside_source

            complaint.faults = tuple(beside_source(fault, content) for fault in complaint.faults)
            raise


class Apply(Plan):
    """Make what is known equal to a topology file, or do exactly what a kept plan says."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the topology as YAML, or a kept plan (.json)")
        parser.add_argument("--allow-destroy", action="store_true", help="also end what is not in the file")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--dry-run", action="store_true", help="only show the changes")
        parser.add_argument("--summary", action="store_true", help="only how many of each kind")

    def rows(self, args: Args) -> "list[Json]":
        answer = kept_plan(args.file) if args.file.endswith(".json") else self.planned(args.file)
        changes: list[Json] = answer["changes"]
        if not changes:
            self.say("no changes")
            return []
        if not args.dry_run:
            self._confirm(args, changes)
            body = {"plan": answer["plan"], "allow_destroy": args.allow_destroy}
            self.client.post("/topology/apply", body)
        return summed(changes) if args.summary else changes

    def _confirm(self, args: Args, changes: "list[Json]") -> None:
        if args.yes or not sys.stdin.isatty():
            return
        for change in changes[:50]:
            self.say(f"  {change.get('action')} {change.get('kind')} {change.get('id')} {change.get('name')}")
        self.app.stderr.write(f"{len(changes)} changes. Go on? [y/N] ")
        self.app.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Complaint("refused", "nothing was changed")


def summed(changes: "list[Json]") -> "list[Json]":
    """How many changes of each action and kind, in the order in which they are made."""
    counts = Counter((change["action"], change["kind"]) for change in changes)
    return [
        {
            "id": None,
            "name": f"{count} x {kind}",
            "state": None,
            "action": action,
            "kind": kind,
            "count": count,
        }
        for (action, kind), count in counts.items()
    ]


def content_of(file: str) -> bytes:
    """The bytes of the file; what is not text of ours is judged by the server, with line and column."""
    path = Path(file)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Complaint("bad_input", f"{file} is larger than {MAX_BYTES // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise Complaint("bad_input", f"{file} cannot be read: {error.strerror}") from error


def kept_plan(file: str) -> "Json":
    """A plan that `topology plan --out` kept."""
    try:
        answer = json.loads(content_of(file))
    except ValueError as error:
        raise Complaint("bad_input", f"{file} is no kept plan: {error}") from error
    if not isinstance(answer, dict) or not {"plan", "changes"} <= answer.keys():
        raise Complaint("bad_input", f"{file} is no kept plan")
    return answer
