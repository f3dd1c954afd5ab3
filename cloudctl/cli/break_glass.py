"""The option `--break-glass REASON`, on the few commands that must work when the server does not."""

import argparse
import sys
from typing import TYPE_CHECKING

from cloudctl.config import home_directory

if TYPE_CHECKING:
    from cloudctl.cli.client import Json


def add_break_glass(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--break-glass",
        metavar="REASON",
        help="act on this machine without the server, as root or owner of the home; kept on record, and "
        "everyone who administers or audits is told",
    )


def break_glass(act: str, subject: str, reason: str) -> "Json":
    """Do the act in this process, and say so loudly."""
    from cloudctl import break_glass as glass

    who = glass.operator(home_directory())
    sys.stderr.write(
        f"*** BREAK GLASS: {act} {subject} by {who}, without the server. This is on record. ***\n"
    )
    return glass.break_glass(home_directory(), act, subject, reason)
