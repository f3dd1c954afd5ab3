"""`cloudctl request`: follow requests and decide them."""

import argparse
import sys
from typing import TYPE_CHECKING, ClassVar

from cloudctl.cli import following
from cloudctl.cli.break_glass import add_break_glass, break_glass
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint
from cloudctl.cli.request_create import Submitting, add_waiting
from cloudctl.cli.request_words import for_people

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class List(Listing):
    """List requests, the newest first."""

    columns = ("id", "name", "department_name", "system_name", "site", "state", "waits_for", "created_at")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--state", metavar="STATE", help="awaiting_approval, building, delivered, ...")
        parser.add_argument("--mine", action="store_true", help="only what I asked for")
        parser.add_argument("--department", metavar="CODE|NAME", help="only of this department")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many rows")

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows(
            "/requests",
            args.limit,
            state=args.state,
            mine=args.mine or None,
            department=self.client.id_of("/departments", args.department),
        )


class Inbox(Listing):
    """List the requests that wait for my decision."""

    columns = (
        "id",
        "name",
        "department_name",
        "system_name",
        "site",
        "waits_for",
        "requested_by_name",
        "created_at",
    )

    def rows(self, args: Args) -> "list[Json]":
        return self.client.rows("/inbox")


class Show(Showing):
    """Show a request with holds, approvals, operation and resources."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("request", metavar="N", type=int)

    def one(self, args: Args) -> "Json":
        return self.client.get(f"/requests/{args.request}")

    def for_people(self, row: "Json") -> "Json":
        return for_people(row)


class Preview(Submitting):
    """Show the decision for a form in a file, as submitting it would decide; nothing is written."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the form as YAML or JSON; - for stdin")

    def one(self, args: Args) -> "Json":
        return self.previewed(read_form(args.file))


class Watch(Show):
    """Follow a request until it has ended."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="follow no longer than this")

    def one(self, args: Args) -> "Json":
        with following.reporter(self.app.stderr) as report:
            ended = following.follow(self.client, args.request, report, args.timeout)
        self.exit_code = following.exit_code(ended)
        return ended


class Deciding(Submitting):
    """One person's word on a request."""

    verb: ClassVar[str]
    needs_opinion: ClassVar[bool] = False

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("request", metavar="N", type=int)
        parser.add_argument(
            "--opinion", default="", required=self.needs_opinion, help="what the others read (审批意见)"
        )
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        answer = self.client.post(f"/requests/{args.request}/{self.verb}", {"opinion": args.opinion})
        return self.waited(args, {"id": args.request, **answer})


class Approve(Deciding):
    """Approve the stage that waits; the last approval starts the work."""

    verb = "approve"


class Return(Deciding):
    """Send a request back to be corrected; says why."""

    verb = "return"
    needs_opinion = True


class Reject(Deciding):
    """Refuse a request for good; says why."""

    verb = "reject"
    needs_opinion = True


class Withdraw(Show):
    """Take one's own request back before it is approved."""

    def one(self, args: Args) -> "Json":
        return self.client.post(f"/requests/{args.request}/withdraw")


class Cancel(Submitting):
    """Stop a request, also while it is being built: what was made is undone."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("request", metavar="N", type=int)
        add_waiting(parser)
        add_break_glass(parser)

    def one(self, args: Args) -> "Json":
        if args.break_glass is not None:
            return break_glass("request.cancel", str(args.request), args.break_glass)
        answer = self.client.post(f"/requests/{args.request}/cancel")
        ended = self.waited(args, {"id": args.request, **answer})
        if args.wait and ended["state"] == "cancelled":
            self.exit_code = 0
        return ended


class Resubmit(Submitting):
    """Send a returned request again, corrected by a form in a file."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("request", metavar="N", type=int)
        parser.add_argument("file", metavar="FILE", help="the form as YAML or JSON; - for stdin")
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        form = read_form(args.file)
        answer = self.client.post(f"/requests/{args.request}/resubmit", {"form": form})
        return self.waited(args, {"id": args.request, **answer})


def read_form(file: str) -> "Json":
    """A form from a file or stdin."""
    import yaml

    try:
        if file == "-":
            document = yaml.safe_load(sys.stdin.read())
        else:
            with open(file, encoding="utf-8") as opened:
                document = yaml.safe_load(opened)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Complaint("bad_input", f"the form cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise Complaint("bad_input", "the form is not a mapping of fields")
    return document
