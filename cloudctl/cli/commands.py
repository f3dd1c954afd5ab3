"""The kinds of commands: one that lists rows, one that shows an object, one that acts and says so."""

import argparse
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from cliff.command import Command
from cliff.lister import Lister
from cliff.show import ShowOne

from cloudctl.cli import exits
from cloudctl.cli.formatters import MACHINE, cell

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json
    from cloudctl.cli.main import Cloudctl

Args = argparse.Namespace


class Verb(Command):
    """What all commands share: the client, words on stderr, and an exit code of their own."""

    log = logging.getLogger("cloudctl")
    exit_code = exits.DONE
    summary: ClassVar[str] = ""

    @property
    def client(self) -> "Client":
        """The API, signed in as whoever runs the command."""
        return cast("Cloudctl", self.app).client

    @property
    def anonymous(self) -> "Client":
        """The API, without any token."""
        return cast("Cloudctl", self.app).open_client(None)

    def say(self, words: str) -> None:
        """One line for people, on stderr: stdout is for results."""
        cast("Cloudctl", self.app).say(words)

    def get_description(self) -> str:
        return (self.__doc__ or "").strip()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        self.options(parser)
        return parser

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command."""


class Listing(Verb, Lister):
    """Lists rows. `columns` is what a table shows; JSON and YAML have every key of the API."""

    columns: ClassVar[Sequence[str]] = ("id", "name", "state")

    @property
    def formatter_namespace(self) -> str:
        return "cloudctl.formatter.list"

    def rows(self, args: Args) -> "list[Json]":
        """The rows to list."""
        raise NotImplementedError

    def usual(self, args: Args) -> Sequence[str]:
        """What a table shows when nobody asks for columns."""
        return self.columns

    def take_action(self, parsed_args: Args) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        rows = self.rows(parsed_args)
        names = names_for(parsed_args, self.usual(parsed_args), rows)
        kind = parsed_args.formatter
        return names, [[cell(row.get(name), kind, name) for name in names] for row in rows]

    def run(self, parsed_args: Args) -> int:
        super().run(parsed_args)
        return self.exit_code


class Showing(Verb, ShowOne):
    """Shows one object. `columns` orders and limits what a table shows; empty shows every key."""

    columns: ClassVar[Sequence[str]] = ()

    @property
    def formatter_namespace(self) -> str:
        return "cloudctl.formatter.show"

    def one(self, args: Args) -> "Json":
        """The object to show."""
        raise NotImplementedError

    def for_people(self, row: "Json") -> "Json":
        """The object as a table shows it."""
        return row

    def take_action(self, parsed_args: Args) -> tuple[Sequence[str], Iterable[Any]]:
        row = self.one(parsed_args)
        kind = parsed_args.formatter
        if kind == "table" and not parsed_args.columns:
            row = self.for_people(row)
        names = names_for(parsed_args, self.columns or tuple(row), [row])
        return names, [cell(row.get(name), kind, name) for name in names]

    def run(self, parsed_args: Args) -> int:
        super().run(parsed_args)
        return self.exit_code


def names_for(args: Args, columns: Sequence[str], rows: "Sequence[Json]") -> list[str]:
    """The columns to print: every key for machines, those asked for with -c, or the usual ones."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if args.columns:
        wanted = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in args.columns]
        if rows and (unknown := [name for name in wanted if name not in keys]):
            raise exits.bad_usage(f"no column {', '.join(unknown)}", f"known: {', '.join(keys)}")
        args.columns = []  # chosen here, so that any key can be, in the order asked for
        return wanted
    if args.formatter in MACHINE and rows:
        return keys
    return list(columns)
