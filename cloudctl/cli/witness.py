"""`cloudctl dr witness`: the vote of three places, and what a server needs to take part in it."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli import exits
from cloudctl.cli.backup import add_waiting, has_ended_well
from cloudctl.cli.commands import Args, Listing, Showing, Verb
from cloudctl.cli.dr_plan import plan_path
from cloudctl.cli.exits import Complaint, bad_usage

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class Status(Listing):
    """Show the members of the witness, who may write for each plan, its agents and what observers saw.

    Exit code 5 when a member is silent.
    """

    columns = ("kind", "name", "place", "state", "detail")

    def rows(self, args: Args) -> "list[Json]":
        rows = self.client.rows("/witness")
        if any(row["kind"] == "member" and row["state"] == "silent" for row in rows):
            self.exit_code = exits.UNAVAILABLE
        return rows


class Agent(Verb):
    """Write what playbooks/agent.yml needs to bring the agent of a plan to a server; no key is in the file.

    On a machine of the installation, since witness.yaml lies there. Units are what writes on that server; an
    agent with nothing but --observe only looks, for instance at the third place.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("server", metavar="SERVER", help="its name")
        parser.add_argument("file", metavar="FILE", help="where to write it; nothing is ever overwritten")
        parser.add_argument(
            "--site", metavar="SITE", required=True, help="where the server is: an id, or third"
        )
        parser.add_argument(
            "--unit", action="append", default=[], metavar="UNIT", help="of systemd; several times"
        )
        parser.add_argument(
            "--command", action="append", default=[], metavar="WORD=COMMAND", dest="commands",
            help="instead of units: start, stop, kill, runs (exit code 1 when nothing runs)",
        )  # fmt: skip
        parser.add_argument(
            "--observe", action="append", default=[], metavar="SITE/WHAT=URL",
            help="what is looked at from there: province/api=https://...",
        )  # fmt: skip

    def take_action(self, parsed_args: Args) -> None:
        from cloudctl.bootstrap import witness_papers
        from cloudctl.config import home_directory, load
        from dr.agents.installing import Watched, Wish, variables
        from dr.plans.spans import seconds_of

        plan = self.client.get(plan_path(parsed_args.plan))
        watched = []
        for place, url in _pairs("--observe", parsed_args.observe):
            site, _, what = place.partition("/")
            watched.append(Watched(site, what or "api", url))
        wish = Wish(
            plan["name"],
            parsed_args.site,
            parsed_args.server,
            seconds_of(plan["document"]["lease"]) or 0.0,
            tuple(parsed_args.unit),
            dict(_pairs("--command", parsed_args.commands)),
            tuple(watched),
        )
        told = variables(wish, witness_papers(load(home_directory())))
        path = Path(parsed_args.file).expanduser()
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise Complaint("bad_input", f"{path}: {error}") from error
        self.say(f"ansible-playbook -i {parsed_args.server}, -u cloudctl playbooks/agent.yml -e @{path}")


class Install(Showing):
    """Bring the agent of a plan to its servers, over SSH; again changes nothing.

    Without servers and parts to all of which the plan says what writes there. Exit code 1 when one of them
    did not get it.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("servers", metavar="SERVER", nargs="*", help="its name or label")
        parser.add_argument("--part", action="append", default=[], metavar="PART", dest="parts",
                            help="all servers of that part; several times")  # fmt: skip
        parser.add_argument("--site", metavar="SITE", default="", help="only those there")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        body = {"plan": args.plan, "servers": args.servers, "parts": args.parts, "site": args.site}
        row: Json = self.client.post("/witness/agents", body)
        if not args.wait:
            return row
        return {**row, "state": "done" if has_ended_well(self, args, row["operation_id"]) else "failed"}


class Dismiss(Showing):
    """Say that a server is gone for good, so that its agent counts no more.

    Until then the agents of its site cannot say that all writers stand still. One that runs enrols itself
    again.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("server", metavar="SERVER", help="as `dr witness status` names it")
        parser.add_argument("--site", metavar="SITE", required=True, help="where it was")
        parser.add_argument("--reason", metavar="TEXT", required=True)

    def one(self, args: Args) -> "Json":
        body = {"plan": args.plan, "site": args.site, "server": args.server, "reason": args.reason}
        return self.client.post("/witness/dismiss", body)


def _pairs(option: str, given: Iterable[str]) -> list[tuple[str, str]]:
    pairs = [tuple(word.split("=", 1)) for word in given]
    if wrong := [word for word, pair in zip(given, pairs, strict=True) if len(pair) != 2]:
        raise bad_usage(f"{option} {wrong[0]}: write NAME=VALUE")
    return [(pair[0], pair[1]) for pair in pairs]
