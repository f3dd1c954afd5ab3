"""`cloudctl dr drill`: rehearse a plan where nothing leads in or out, and see what it takes."""

import argparse
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import drill_progress, exits
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import bad_usage

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_EXITS = {"passed": exits.DONE}


class Start(Showing):
    """Rehearse a plan; with --wait until everything is cleared away. Exit code 1 unless it passed."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("--point", metavar="POINT", help="default: the newest that was there")
        parser.add_argument("--hold", metavar="SPAN", default="0s", help="keep it for people: 30m, 2h")
        parser.add_argument(
            "--fault", choices=("now", "random"), default="now",
            help="when the loss is taken to have happened; random: at any moment of the last rhythm",
        )  # fmt: skip
        parser.add_argument("--reason", metavar="TEXT", default="")
        parser.add_argument("--dry-run", action="store_true", help="show what would be rehearsed")
        _add_waiting(parser)

    def one(self, args: Args) -> "Json":
        body: Json = {
            "plan": args.plan,
            "point": args.point,
            "hold_s": seconds(args.hold),
            "fault": args.fault,
            "reason": args.reason,
        }
        if args.dry_run:
            plan = self.client.post("/drills/preview", body)
            for one in plan["faults"]:
                self.say(f"{one['place']}: {one['message']}" + (f" ({one['hint']})" if one["hint"] else ""))
            if plan["faults"]:
                self.exit_code = exits.REFUSED
            return plan
        row = self.client.post("/drills", body)
        return _waited(self, args, row) if args.wait else row

    def for_people(self, row: "Json") -> "Json":
        return _for_people(row)


class List(Listing):
    """List drills, the newest first."""

    columns = (
        "id",
        "name",
        "site",
        "state",
        "verdict",
        "rpo_s",
        "rto_s",
        "begun_at",
        "begun_by",
        "left_behind",
    )

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--plan", metavar="PLAN")
        parser.add_argument("--state", metavar="STATE", help="holding, cleanup_incomplete, done, ...")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/drills", args.limit, plan=args.plan, state=args.state)


class Show(Showing):
    """Show a drill: verdict, figures, checks, timeline, and what is left."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        _add_waiting(parser)

    def one(self, args: Args) -> "Json":
        row = self.client.get(f"/drills/{args.drill}")
        return _waited(self, args, row) if args.wait else row

    def for_people(self, row: "Json") -> "Json":
        return _for_people(row)


class End(Showing):
    """End the hold of a drill now; it is cleared away."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        _add_waiting(parser)

    def one(self, args: Args) -> "Json":
        row = self.client.post(f"/drills/{args.drill}/end")
        return _waited(self, args, row) if args.wait else row

    def for_people(self, row: "Json") -> "Json":
        return _for_people(row)


class Abort(Showing):
    """Stop a drill where it is; it is cleared away, and proves nothing."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        _add_number(parser)
        parser.add_argument("--reason", metavar="TEXT", required=True)

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/drills/{args.drill}/abort", {"reason": args.reason})

    def for_people(self, row: "Json") -> "Json":
        return _for_people(row)


class CalendarList(Listing):
    """List when plans are rehearsed by themselves."""

    columns = ("id", "name", "plan_state", "every_s", "window", "is_random", "hold_s", "next_at", "state")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/drills/calendar")


class CalendarSet(Showing):
    """Rehearse a plan by itself from now on, every so often."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("--every", metavar="SPAN", required=True, help="1w, 30d, 90d")
        parser.add_argument("--window", metavar="HH:MM-HH:MM", help="begin inside it, Beijing time")
        parser.add_argument("--random", action="store_true", help="at moments that nobody is told before")
        parser.add_argument("--hold", metavar="SPAN", default="0s")

    def one(self, args: Args) -> "Json":
        body: Json = {
            "every_s": seconds(args.every),
            "window": _window(args.window),
            "is_random": args.random,
            "hold_s": seconds(args.hold),
        }
        return self.client.put(f"/drills/calendar/{quote(args.plan, safe='')}", body)


class CalendarOff(Showing):
    """Rehearse a plan no longer by itself."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")

    def one(self, args: Args) -> "Json":
        return self.client.delete(f"/drills/calendar/{quote(args.plan, safe='')}")


def seconds(text: str) -> int:
    """`90s`, `30m`, `2h`, `7d`, `1w`."""
    found = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    if found is None:
        raise bad_usage(f"'{text}' is no length of time", "written 90s, 30m, 2h, 7d or 1w")
    return int(found[1]) * _UNITS[found[2]]


def _window(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    opens, mark, closes = text.partition("-")
    if not mark:
        raise bad_usage(f"'{text}' is no window", "written 22:00-06:00")
    return {"from": opens.strip(), "until": closes.strip()}


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("drill", metavar="DRILL", type=int, help="its number")


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until everything is cleared away")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than this")


def _waited(command: Showing, args: Args, row: "Json") -> "Json":
    """The drill at its end; the exit code says whether it passed."""
    with drill_progress.reporter(command.app.stderr) as report:
        ended = drill_progress.follow(command.client, row["id"], report, args.timeout)
    command.exit_code = _EXITS.get(ended["verdict"], exits.FAILED)
    if ended["why"]:
        command.say(f"{ended['verdict']}: {ended['why']}")
    return ended


def _for_people(row: "Json") -> "Json":
    """Without what is there for scripts."""
    shown = {key: value for key, value in row.items() if value not in (None, [], {}, "")}
    for key in ("steps", "plan_sha256", "recovery_time", "isolation", "objectives"):
        shown.pop(key, None)
    if "parts" in shown:
        shown["parts"] = "\n".join(_part(one) for one in row["parts"])
    if "checks" in shown:
        shown["checks"] = "\n".join(
            f"{'passed' if one['is_passed'] else 'failed'} {one['name']}" for one in row["checks"]
        )
    if "timeline" in shown:
        shown["timeline"] = "\n".join(f"{one['at_s']:>8.1f} s {one['name']}" for one in row["timeline"])
    shown["left_behind"] = row.get("left_behind", [])
    return shown


def _part(one: "Json") -> str:
    after = f" after {', '.join(one['needs'])}" if one["needs"] else ""
    answered = one.get("answered_s")
    took = f", answered at {answered:.0f} s" if answered is not None else ""
    why = f": {one['why']}" if one.get("why") else ""
    return f"{one['name']}{after}: {one.get('state') or 'planned'}{took}{why}"
