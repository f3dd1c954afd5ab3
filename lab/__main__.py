"""`python -m lab`: the lab without the cloudctl command."""

import argparse
import sys
from pathlib import Path

from lab import Lab, LabError
from lab.extras import EXTRAS


def main() -> int:
    """Does what the command line asks; 0 if it was done, 1 if not."""
    arguments = _parser().parse_args()
    lab = Lab(arguments.home, arguments.cities)
    try:
        _ACTIONS[arguments.action](lab, arguments)
    except LabError as error:
        _say(f"lab: {error}", error=True)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory of the lab")
    parser.add_argument("--cities", type=int, choices=(1, 2), default=1, help="how many city clouds")
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up")
    up.add_argument(
        "--guests", action=argparse.BooleanOptionalAction, help="real machines (default: as it is)"
    )
    up.add_argument(
        "--with", action="append", dest="extras", choices=tuple(EXTRAS), help="what to have beside the clouds"
    )
    for name in ("down", "destroy", "status"):
        actions.add_parser(name)
    site = actions.add_parser("site")
    site.add_argument("verb", choices=("stop", "start", "cut", "join", "destroy"))
    site.add_argument("name")
    return parser


def _up(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.up(_say, arguments.guests, arguments.extras or ())
    _say(
        f"The lab is up. Try: OS_CLIENT_CONFIG_FILE={lab.clouds_yaml} OS_CLOUD=province openstack server list"
    )


def _status(lab: Lab, arguments: argparse.Namespace) -> None:
    rows = lab.status()
    _say(f"{'site':10} {'service':20} {'state':9} {'pid':>8} {'port':>6} {'MiB':>6}")
    for row in rows:
        where = f"{row.pid or '':>8} {row.port or '':>6}"
        _say(f"{row.site:10} {row.service:20} {row.state:9} {where} {row.memory_mib:>6}")
    _say(f"{'':56}{sum(row.memory_mib for row in rows):>8}")


def _site(lab: Lab, arguments: argparse.Namespace) -> None:
    getattr(lab, f"site_{arguments.verb}")(arguments.name)


def _say(line: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(line + "\n")


_ACTIONS = {
    "up": _up,
    "down": lambda lab, arguments: lab.down(),
    "destroy": lambda lab, arguments: lab.destroy(),
    "status": _status,
    "site": _site,
}

if __name__ == "__main__":
    sys.exit(main())
