"""`cloudctl migration stage`: where a system stands on its way, and moving it on."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudctl.cli.commands import Args, Showing
from cloudctl.cli.exits import bad_usage

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


def pairs(words: list[str]) -> dict[str, str]:
    """`accepted_on=2026-11-20 report_document=...` as a mapping."""
    found = {}
    for word in words:
        key, is_pair, value = word.partition("=")
        if not is_pair or not key:
            raise bad_usage("fields are written field=value", f"'{word}' is none")
        found[key] = value
    return found


class Stage(Showing):
    """Show what a system can do next and what that asks; with an event, move it."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")
        parser.add_argument(
            "event",
            metavar="EVENT",
            nargs="?",
            help="classify, assess, plan, agree, migrate, try, accept, ...",
        )
        parser.add_argument("shown", metavar="FIELD=VALUE", nargs="*", help="what the stage has to show")
        parser.add_argument("--reason", default="", help="why; needed to go back or to retire")
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def one(self, args: Args) -> "Json":
        path = f"/systems/{quote(args.system, safe='')}/stage"
        if args.event is None:
            return self.client.get(path)
        body = {"event": args.event, "shown": pairs(args.shown), "reason": args.reason}
        return self.client.post(path, {**body, "dry_run": args.dry_run})

    def for_people(self, row: "Json") -> "Json":
        shown = {**row, "possible": "\n".join(_step(step) for step in row["possible"]) or "-"}
        if "changes" in row:
            shown["changes"] = "\n".join(
                f"{name}: {before} → {after}" for name, (before, after) in row["changes"].items()
            )
        return shown


def _step(step: Mapping[str, Any]) -> str:
    asks = [
        f"{one['id']}" if one["state"] == "required" else f"[{one['id']}]"
        for one in step["asks"]
    ]  # fmt: skip
    words = f"{step['id']} → {step['name']}"
    asks += ["--reason"] if step["needs_reason"] else []
    return f"{words}: {' '.join(asks)}" if asks else words
