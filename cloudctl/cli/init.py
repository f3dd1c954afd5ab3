"""`cloudctl init`: set this machine's installation up."""

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from cloudctl.cli.commands import Args, Showing
from cloudctl.cli.exits import Complaint, bad_usage
from cloudctl.cli.formatters import MACHINE
from cloudctl.config import home_directory


class Init(Showing):
    """Make keys, configuration, database and the first two administrators.

    Everything lives under CLOUDCTL_HOME. What is there already stays as it is. The first passwords are
    shown this once.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--database",
            metavar="URL",
            help="postgresql://... (default: CLOUDCTL_DATABASE, else SQLite in the home)",
        )
        parser.add_argument(
            "--broker",
            metavar="URL",
            help="amqp://... for workers on many hosts (default: CLOUDCTL_BROKER, else inside `serve`)",
        )
        parser.add_argument(
            "--admin",
            metavar="ID=NAME",
            action="append",
            default=[],
            help="a first system administrator; give it twice",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be made")

    def take_action(self, parsed_args: Args) -> tuple[Sequence[str], Iterable[Any]]:
        from cloudctl.initialise import Wish, initialise

        os.umask(0o077)
        wish = Wish(
            _url(parsed_args.database, "CLOUDCTL_DATABASE", "--database"),
            _url(parsed_args.broker, "CLOUDCTL_BROKER", "--broker"),
            tuple(_person(text) for text in parsed_args.admin),
        )
        result = initialise(home_directory(), wish, parsed_args.dry_run)
        if parsed_args.formatter in MACHINE:
            parts = [vars(part) for part in result.parts]
            people = [{"id": user, "password": str(word)} for user, word in result.passwords.items()]
            return ("home", "parts", "administrators"), (str(home_directory()), parts, people)
        rows = [(part.name, f"{part.state}: {_told(part)}") for part in result.parts]
        rows += [(f"first password of {user}", str(word)) for user, word in result.passwords.items()]
        if result.passwords:
            self.say("The first passwords are shown this once; each must be changed at the first sign-in.")
        names, values = zip(*rows, strict=True)
        return names, values


def _told(part: Any) -> str:
    return f"{part.place} ({part.note})" if part.note else part.place


def _url(option: str | None, variable: str, name: str) -> str:
    """The URL from option or environment; one with a password does not belong into arguments."""
    if option and urlsplit(option).password:
        raise Complaint(
            "bad_input",
            "a password in an argument can be seen by everyone on this machine",
            (f"{name}: give the URL in the environment variable {variable}",),
        )
    return option or os.environ.get(variable, "")


def _person(text: str) -> tuple[str, str]:
    user, found, name = text.partition("=")
    if not found or not user or not name:
        raise bad_usage("an administrator is written ID=NAME", f"--admin: {text}")
    return user, name
