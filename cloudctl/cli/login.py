"""`cloudctl login`: a password for a personal token, kept in the home for the commands that follow."""

import argparse
import getpass
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli.commands import Args, Showing
from cloudctl.cli.exits import Complaint
from cloudctl.config import home_directory

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


class Login(Showing):
    """Sign in: asks for the password without showing it, and keeps a personal token.

    Where stdin is no terminal, the password is its first line; a second line is the new password that
    replaces a first one.
    """

    columns = ("user", "expires_at", "token_file")

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--days", type=int, default=30, help="how long the token is good (default: 30)")
        parser.add_argument(
            "--output", metavar="FILE", help="where to keep it (default: CLOUDCTL_HOME/token)"
        )

    def one(self, args: Args) -> "Json":
        body = {
            "user": args.user,
            "password": ask(f"Password of {args.user}: "),
            "token_name": f"cloudctl on {socket.gethostname()}",
            "days": args.days,
        }
        try:
            made = self.anonymous.post("/sign-in", body)
        except Complaint as complaint:
            if "first_password" not in complaint.fault_codes:
                raise
            self.say(f"{complaint.message}: this one was only for the first time.")
            made = self.anonymous.post("/sign-in", {**body, "new_password": ask_twice()})
        path = Path(args.output) if args.output else home_directory() / "token"
        keep(path, made["token"])
        return {
            "id": made["id"],
            "name": made["name"],
            "state": made["state"],
            "user": args.user,
            "expires_at": made["expires_at"],
            "token_file": str(path),
        }


def ask(prompt: str) -> str:
    """A secret from the terminal, without echo, or the next line of stdin."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def ask_twice() -> str:
    """A new password; asked for twice on a terminal."""
    new = ask("New password: ")
    if sys.stdin.isatty() and ask("Once more: ") != new:
        raise Complaint("bad_input", "the two do not agree; nothing was changed")
    return new


def keep(path: Path, token: str) -> None:
    """Write the token so that only its owner can read it."""
    from cloudctl.secrets import write_private

    write_private(path, f"{token}\n".encode())
