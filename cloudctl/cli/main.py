"""`cloudctl`: finds the command, runs it, and turns what goes wrong into one line and an exit code."""

import argparse
import logging
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cliff.app import App
from cliff.commandmanager import CommandManager

from cloudctl import __version__
from cloudctl.cli import exits
from cloudctl.errors import CloudctlError

if TYPE_CHECKING:
    from cloudctl.cli.client import Client

NAMESPACE = "cloudctl.cli"
INTERRUPTED = 130
PIPE_BROKEN = 141
ARGPARSE_ERROR = 2  # where we promise 64


class Cloudctl(App):
    """The application: global options, the client, errors."""

    NAME = "cloudctl"
    CONSOLE_MESSAGE_FORMAT = "%(message)s"

    def __init__(self) -> None:
        super().__init__(
            description='One manager for a province\'s "1+N" government clouds on OpenStack.',
            version=__version__,
            command_manager=CommandManager(NAMESPACE),
            deferred_help=True,
        )

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        parser = super().build_option_parser(description, version, {"allow_abbrev": False})
        parser.prog = self.NAME
        parser.add_argument(
            "--server",
            metavar="URL|SOCKET",
            help="the server (default: CLOUDCTL_SERVER, else the socket in CLOUDCTL_HOME)",
        )
        parser.add_argument(
            "--token-file",
            metavar="FILE",
            help="the personal token (default: CLOUDCTL_TOKEN, else CLOUDCTL_HOME/token)",
        )
        return parser

    def configure_logging(self) -> None:
        """Words of other libraries only when asked for."""
        level = logging.DEBUG if self.options.debug or self.options.verbose_level > 1 else logging.ERROR
        logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=self.stderr, force=True)
        for noisy in ("httpcore", "stevedore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)

    @cached_property
    def client(self) -> "Client":
        """The API, signed in as whoever runs the command."""
        from cloudctl.cli.client import token_from

        return self.open_client(token_from(self.options.token_file))

    def open_client(self, token: str | None) -> "Client":
        """The API, with this token."""
        from cloudctl.cli.client import Client, Server

        return Client(Server.at(self.options.server), token, language())

    def say(self, words: str) -> None:
        """One line for people, unless they want quiet."""
        if self.options.verbose_level:
            self.stderr.write(words + "\n")
            self.stderr.flush()

    def interact(self) -> None:
        """There is no shell of ours: no command means that somebody wants to know the commands."""
        self.run_subcommand(["help"])

    def run_subcommand(self, argv: list[str]) -> int:
        try:
            factory, name, rest = self.command_manager.find_command(argv)
        except ValueError:
            return self._unknown(argv)
        command = factory(self, self.options, cmd_name=name)
        arguments = command.get_parser(f"{self.NAME} {name}").parse_args(rest)
        return int(command.run(arguments) or 0)

    def _unknown(self, argv: list[str]) -> int:
        words = " ".join(argv[:2])
        known = sorted(name for name, _ in self.command_manager)
        close = [name for name in known if name.split()[0] == argv[0]] or self.get_fuzzy_matches(argv[0])
        self.complain(exits.bad_usage(f"'{words}' is not a command", *(f"known: {name}" for name in close)))
        return exits.USAGE

    def complain(self, complaint: exits.Complaint) -> None:
        """The lines of a complaint on stderr."""
        lines = complaint.lines()
        if complaint.request_id and self.options.debug:
            lines.append(f"  request id: {complaint.request_id}")
        self.stderr.write("\n".join(lines) + "\n")


def language() -> str:
    """`zh` or `en`, by the locale."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.startswith("zh") else "en"
    return "en"


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    os.environ.setdefault("CLIFF_FIT_WIDTH", "1")  # tables fit the terminal
    app = Cloudctl()
    try:
        return _run(app, sys.argv[1:] if argv is None else argv)
    except exits.Complaint as complaint:
        app.complain(complaint)
        return complaint.exit_code
    except CloudctlError as error:
        told = exits.complaint_of(error)
        app.complain(told)
        return told.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at exit
        return PIPE_BROKEN
    except SystemExit as stop:
        if stop.code is None:
            return exits.DONE  # help was shown
        return exits.USAGE if stop.code == ARGPARSE_ERROR else int(stop.code)
    except Exception as error:
        if app.options.debug:
            raise
        app.complain(exits.Complaint("error", f"unexpected: {type(error).__name__}: {error}"))
        return exits.FAILED


def _run(app: Cloudctl, argv: list[str]) -> int:
    app.options, remainder = app.parser.parse_known_args(argv)
    app.configure_logging()
    if app.options.deferred_help or not remainder:
        remainder = ["help", *remainder]
    return app.run_subcommand(remainder)
