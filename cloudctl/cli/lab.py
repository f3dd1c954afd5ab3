"""`cloudctl lab`: a real OpenStack 1+N on this machine, for trying, demonstrations and tests."""

import argparse
import time
from typing import TYPE_CHECKING, ClassVar

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Listing, Verb
from cloudctl.cli.exits import Complaint, bad_usage
from cloudctl.config import home_directory

if TYPE_CHECKING:
    from cloudctl.cli.client import Json
    from lab import Lab


def add_cities(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cities", type=int, choices=(1, 2), help="city clouds (default: those there are, or 1)"
    )


def open_lab(cities: int | None) -> "Lab":
    """The lab of this home, with as many cities as it was made with."""
    from lab import Lab

    home = home_directory() / "lab"
    if cities is None:
        made = home / "sites"
        cities = max(1, sum(1 for _ in made.glob("city-*"))) if made.is_dir() else 1
    return Lab(home, cities)


class LabVerb(Verb):
    """Does something to the lab; its failures are complaints."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_cities(parser)

    def act(self, lab: "Lab", args: Args) -> None:
        """What the command is for."""
        raise NotImplementedError

    def take_action(self, parsed_args: Args) -> None:
        from lab import LabError

        try:
            self.act(open_lab(parsed_args.cities), parsed_args)
        except LabError as error:
            raise Complaint("lab_failed", str(error)) from error


class Up(LabVerb):
    """Bring the lab up, or heal it; up already changes nothing."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument(
            "--guests",
            action=argparse.BooleanOptionalAction,
            help="servers are real machines, or rows (default: as the lab is; a new one has rows)",
        )
        parser.add_argument(
            "--with",
            action="append",
            dest="extras",
            metavar="NAME",
            help="what to have beside the clouds from now on (witness, ...); may be given several times",
        )

    def act(self, lab: "Lab", args: Args) -> None:
        began = time.monotonic()
        lab.up(self.say, args.guests, _extras(args.extras or []))
        for made in lab.made:
            own = home_directory() / made.name
            if not own.exists() and not own.is_symlink():
                own.symlink_to(made)
        self.say(f"the lab is up after {time.monotonic() - began:.0f} s")
        self.say(f"OS_CLIENT_CONFIG_FILE={lab.clouds_yaml} openstack --os-cloud province server list")


def _extras(names: "list[str]") -> "list[str]":
    """The names, checked; the lab is not imported to say what the command line looks like."""
    from lab.extras import EXTRAS

    unknown = [name for name in names if name not in EXTRAS]
    if unknown:
        raise bad_usage(f"--with {unknown[0]}: the lab has none such; known: {', '.join(EXTRAS)}")
    return names


class Down(LabVerb):
    """Stop the lab and leave nothing running; its data stays."""

    def act(self, lab: "Lab", args: Args) -> None:
        lab.down()


class Destroy(LabVerb):
    """Stop the lab and remove its data."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--yes", action="store_true", help="needed: the lab's clouds are lost")

    def act(self, lab: "Lab", args: Args) -> None:
        if not args.yes:
            raise bad_usage("destroying the lab loses all its clouds hold: say --yes")
        lab.destroy()


class Status(Listing):
    """Show the state, port and memory of each service; exit code 1 when one of them is not up."""

    columns = ("site", "service", "state", "pid", "port", "memory_mib")

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_cities(parser)

    def rows(self, args: Args) -> "list[Json]":
        rows = [vars(row) for row in open_lab(args.cities).status()]
        if any(row["state"] != "up" for row in rows):
            self.exit_code = exits.FAILED
        return [{"id": f"{row['site']}/{row['service']}", "name": row["service"], **row} for row in rows]


class SiteVerb(LabVerb):
    """Does something to one site of the lab."""

    verb: ClassVar[str]

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("site", metavar="SITE", help="province, city-1, ..., third")

    def act(self, lab: "Lab", args: Args) -> None:
        getattr(lab, f"site_{self.verb}")(args.site)


class SiteStop(SiteVerb):
    """Stop all daemons of a site; its addresses refuse."""

    verb = "stop"


class SiteStart(SiteVerb):
    """Start a site that was stopped."""

    verb = "start"


class SiteCut(SiteVerb):
    """Cut a site off: its addresses swallow what is sent there."""

    verb = "cut"


class SiteJoin(SiteVerb):
    """End a cut."""

    verb = "join"


class SiteDestroy(SiteVerb):
    """Lose a site for good, with its data."""

    verb = "destroy"

    def options(self, parser: argparse.ArgumentParser) -> None:
        super().options(parser)
        parser.add_argument("--yes", action="store_true", help="needed: the site's data is lost")

    def act(self, lab: "Lab", args: Args) -> None:
        if not args.yes:
            raise bad_usage(f"destroying {args.site} loses all it holds: say --yes")
        super().act(lab, args)
