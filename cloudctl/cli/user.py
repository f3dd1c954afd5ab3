"""`cloudctl user`: people and their roles."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli.break_glass import add_break_glass, break_glass
from cloudctl.cli.commands import Args, Listing, Showing
from cloudctl.cli.exits import Complaint

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

_SCOPE_HELP = "department:gx-finance, division:450100, site:city-1 or installation:*; names are fine"
_SCOPES = {"department": "/departments", "division": "/divisions", "site": "/sites"}


def role_scope(client: "Client", text: str) -> str:
    """`department:财政厅` as `department:gx-finance`; the server judges the rest."""
    kind, _, wanted = text.partition(":")
    return f"{kind}:{client.id_of(_SCOPES[kind], wanted)}" if kind in _SCOPES else text


def user_path(user: str) -> str:
    return f"/users/{quote(user, safe='')}"


class List(Listing):
    """List the accounts with their roles."""

    columns = ("id", "name", "state", "department", "roles")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--department", metavar="CODE|NAME", help="only of this department")

    def rows(self, args: Args) -> "list[Json]":
        rows = self.client.rows("/users", department=self.client.id_of("/departments", args.department))
        if args.formatter in ("json", "yaml"):
            return rows
        return [
            {**row, "roles": [f"{role['name']}@{role['scope']}" for role in row["roles"]]} for row in rows
        ]


class Show(Showing):
    """Show an account with its roles and the numbers of the grants."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="user name")

    def one(self, args: Args) -> "Json":
        return self.client.get(user_path(args.user))


class Create(Showing):
    """Make an account; its first password is shown this once."""

    columns = ("id", "name", "department", "roles", "first_password")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="user name, for signing in")
        parser.add_argument("--name", required=True, help="the person's name")
        parser.add_argument("--department", metavar="CODE|NAME")
        parser.add_argument("--phone")
        parser.add_argument("--language", choices=("zh", "en"), default="zh")

    def one(self, args: Args) -> "Json":
        body = {
            "id": args.user,
            "name": args.name,
            "department": self.client.id_of("/departments", args.department),
            "phone": args.phone,
            "language": args.language,
        }
        return self.client.post("/users", body)


class Disable(Show):
    """End an account with its sessions and tokens."""

    def one(self, args: Args) -> "Json":
        return self.client.post(f"{user_path(args.user)}/disable")


class LettingIn(Show):
    """What lets somebody in again; also possible where nobody can sign in to do it."""

    act: str  # as break-glass calls it
    verb: str  # as the API does

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        add_break_glass(parser)

    def one(self, args: Args) -> "Json":
        if args.break_glass is not None:
            return break_glass(self.act, args.user, args.break_glass)
        return self.client.post(f"{user_path(args.user)}/{self.verb}")


class Enable(LettingIn):
    """Open an account again that was ended, or locked by wrong passwords."""

    act, verb = "user.enable", "enable"


class ResetPassword(LettingIn):
    """Give somebody a new first password, shown this once."""

    act, verb = "user.reset-password", "password"


class Grant(Showing):
    """Give somebody a role at a scope."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("role", metavar="ROLE", help="requester, department_approver, cloud_admin, ...")
        parser.add_argument("scope", metavar="SCOPE", help=_SCOPE_HELP)

    def one(self, args: Args) -> "Json":
        body = {"role": args.role, "scope": role_scope(self.client, args.scope)}
        return self.client.post(f"{user_path(args.user)}/roles", body)


class Revoke(Grant):
    """Take a role at a scope away."""

    def one(self, args: Args) -> "Json":
        scope = role_scope(self.client, args.scope)
        for grant in self.client.get(user_path(args.user))["roles"]:
            if (grant["name"], grant["scope"]) == (args.role, scope):
                return self.client.delete(f"{user_path(args.user)}/roles/{grant['id']}")
        raise Complaint("not_found", f"{args.user} does not hold {args.role} at {scope}")
