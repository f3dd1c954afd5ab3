"""`cloudctl init`: set this machine's installation up."""

import argparse
import os
from collections.abc import Iterable, Sequence
from getpass import getuser
from pathlib import Path
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
        parser.add_argument(
            "--restore-from",
            metavar="SITE|s3://BUCKET",
            help="bring the installation back out of this vault; the home has stores.yaml and nothing else",
        )
        parser.add_argument("--recovery-key", metavar="FILE", help="what opens the copy; for --restore-from")
        parser.add_argument("--copy", metavar="ID", default="", help="not the newest; for --restore-from")
        parser.add_argument("--dry-run", action="store_true", help="say what would be made")

    def take_action(self, parsed_args: Args) -> tuple[Sequence[str], Iterable[Any]]:
        from cloudctl.initialise import Wish, initialise

        os.umask(0o077)
        if parsed_args.restore_from:
            return self._bring_back(parsed_args)
        if parsed_args.recovery_key or parsed_args.copy:
            raise bad_usage("--recovery-key and --copy belong to --restore-from")
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

    def _bring_back(self, args: Args) -> tuple[Sequence[str], Iterable[Any]]:
        """The installation out of a vault; accounts and passwords are those of the copy."""
        from cloudctl.bringing_back import Source, bring_back
        from cloudctl.initialise import Wish

        if args.admin or not args.recovery_key:
            raise bad_usage("--restore-from needs --recovery-key FILE, and has its own administrators")
        wish = Wish(
            _url(args.database, "CLOUDCTL_DATABASE", "--database"),
            _url(args.broker, "CLOUDCTL_BROKER", "--broker"),
        )
        source = Source(args.restore_from, Path(args.recovery_key).expanduser(), args.copy)
        found = bring_back(home_directory(), wish, source, f"local:{getuser()}", args.dry_run)
        for note in found.notes:
            self.say(f"in the vault: {note}")
        if not args.dry_run:
            self.say("It only observes until two different people have run: cloudctl database confirm")
        copy, looked = found.copy.head, found.examined
        told = {
            "home": str(home_directory()),
            "parts": [vars(part) for part in found.parts],
            "copy": copy.point,
            "taken_at": copy.taken_at.isoformat(),
            "rows": looked.rows if looked else None,
            "events": looked.events if looked else None,
        }
        if args.formatter in MACHINE:
            return tuple(told), tuple(told.values())
        rows = [(part.name, f"{part.state}: {_told(part)}") for part in found.parts]
        rows += [(name, str(told[name])) for name in ("copy", "taken_at", "rows", "events")]
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
