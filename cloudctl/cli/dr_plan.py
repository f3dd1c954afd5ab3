"""`cloudctl dr plan` and `cloudctl dr readiness`: what is protected, and what would stop a failover now."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Showing, Verb
from cloudctl.cli.target import document_list

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


def plan_path(wanted: str) -> str:
    """The address of the plan with this id or name."""
    return f"/plans/{quote(wanted, safe='')}"


class List(Listing):
    """List protection plans with state, health and whether a failover could be made now."""

    columns = ("id", "name", "system", "home", "recovery", "state", "health", "rpo_s", "rto_s", "is_ready")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--system", metavar="SYSTEM")
        parser.add_argument("--state", metavar="STATE", help="draft, verified, stale, ...")

    def rows(self, args: Args) -> "list[Json]":
        system = self.client.id_of("/systems", args.system) if args.system else None
        return self.client.rows("/plans", system=system, state=args.state)


class Show(Showing):
    """Show a plan with its parts, what is wrong with it, the room held for it, and the forecast."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")

    def one(self, args: Args) -> "Json":
        return self.client.get(plan_path(args.plan))

    def for_people(self, row: "Json") -> "Json":
        shown = {key: value for key, value in row.items() if value not in (None, [], {})}
        shown.pop("document", None)
        for key in ("faults", "stale", "health_why"):
            if row.get(key):
                shown[key] = "\n".join(_said(one) for one in row[key])
        shown["parts"] = "\n".join(_part(one) for one in row["parts"])
        if row.get("readiness"):
            shown["readiness"] = "\n".join(_said(one) for one in row["readiness"]["blocks"]) or "ready"
            shown["forecast"] = _forecast(row["readiness"]["forecast"])
        return shown


class Apply(Listing):
    """Make plans say what a YAML file says; again changes nothing. `--dry-run` shows the difference."""

    columns = ("id", "name", "state", "result", "changes", "faults")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="as examples/protection-plans.yaml")
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def rows(self, args: Args) -> "list[Json]":
        _must_say_everything_once(args.file)
        body = {"plans": document_list(args.file, "plans"), "dry_run": args.dry_run}
        rows: list[Json] = self.client.post("/plans/apply", body)["items"]
        for row in rows:
            for one in (*row["faults"], *row["notes"]):
                self.say(f"{row['name']}: {_said(one)}")
        if args.formatter == "table":
            return [
                {**row, "changes": _changes(row["changes"]), "faults": len(row["faults"])} for row in rows
            ]
        return rows


class Export(Verb):
    """Write a plan as YAML; applied again it changes nothing."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", help="id or name")
        parser.add_argument("--output", "-o", metavar="FILE", help="default: on the terminal")

    def take_action(self, parsed_args: Args) -> None:
        import yaml

        document = self.client.get(f"{plan_path(parsed_args.plan)}/document")
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
        if parsed_args.output is None:
            self.app.stdout.write(text)
            return
        with open(parsed_args.output, "w", encoding="utf-8") as file:
            file.write(text)


class Suspend(Show):
    """Suspend a plan: nobody relies on it until it is resumed; its room stays held."""

    verb = "suspend"

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--reason", default="", help="why")

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{plan_path(args.plan)}/{self.verb}", {"reason": args.reason})


class Resume(Suspend):
    """Resume a suspended plan; it has to be rehearsed before it counts as verified."""

    verb = "resume"


class Retire(Suspend):
    """Retire a plan for good: its room is given back; its reports stay."""

    verb = "retire"


class Readiness(Listing):
    """What would stop a failover right now, and what it would cost. Exit code 3 when anything would."""

    columns = ("name", "state", "health", "target", "would_be_lost_s", "would_take_s", "blocks", "notes")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("plan", metavar="PLAN", nargs="?", help="id or name; default: every plan")

    def rows(self, args: Args) -> "list[Json]":
        rows: list[Json]
        if args.plan:
            rows = [self.client.get(f"{plan_path(args.plan)}/readiness")]
        else:
            rows = self.client.rows("/readiness")
        if any(not row["is_ready"] for row in rows):
            self.exit_code = exits.REFUSED
        if args.formatter != "table":
            return rows
        for row in rows:
            for one in row["blocks"]:
                self.say(f"{row['name']}: {_said(one)}")
            for one in row["notes"]:
                self.say(f"{row['name']}: note: {_said(one)}")
        return [
            {
                **row,
                "would_be_lost_s": row["forecast"]["loss_s"],
                "would_take_s": row["forecast"]["time_s"],
                "blocks": len(row["blocks"]),
                "notes": len(row["notes"]),
            }
            for row in rows
        ]


def _must_say_everything_once(file: str) -> None:
    """A key that stands twice in one mapping: YAML would take the last and say nothing. A Complaint."""
    import yaml

    try:
        with open(file, encoding="utf-8") as opened:
            tops = [yaml.compose(opened, Loader=yaml.SafeLoader)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return  # whoever reads the document says so
    faults = []
    while tops:
        node = tops.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            faults += [
                f"line {key.start_mark.line + 1}: {key.value} is said twice"
                for index, (key, _) in enumerate(node.value)
                if key.value in keys[:index]
            ]
            tops += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            tops += node.value
    if faults:
        raise exits.Complaint("bad_input", f"{file} says something twice", tuple(sorted(faults)))


def _said(one: "Json") -> str:
    hint = f" ({one['hint']})" if one.get("hint") else ""
    place = f"{one['place']}: " if one.get("place") else ""
    part = f"{one['part']}: " if one.get("part") else ""
    return f"{place}{part}{one['message']}{hint}"


def _changes(changes: "Json") -> str:
    return "\n".join(f"{place}: {before} -> {after}" for place, (before, after) in changes.items())


def _part(one: "Json") -> str:
    needs = f" after {', '.join(one['needs'])}" if one["needs"] else ""
    took = "" if one["median_s"] is None else f", {one['median_s']:.0f} s"
    return f"{one['name']}{needs}: {', '.join(one['servers'])} ({one['way']}, {one['serving']}{took})"


def _forecast(one: "Json") -> str:
    lost = "unknown" if one["loss_s"] is None else f"{one['loss_s']:.0f} s"
    takes = "never measured" if one["time_s"] is None else f"{one['time_s']:.0f} s"
    return f"would lose {lost}, would take {takes}; not measured: {', '.join(one['not_measured'])}"
