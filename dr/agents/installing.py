"""What a server is told so that an agent runs on it, and the play that brings the agent there.

Servers of other sites, and those that cloudctl does not come into, get the same by hand:
`ansible-playbook -i HOST, playbooks/agent.yml -e @FILE` with what `variables` gives.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cloudctl.errors import BadInput, Fault
from cloudctl.ports import Host, Play, PlayResult, Plays
from dr.agents.timing import LEAST_LEASE_S, timing

PLAYBOOK = "agent"
COMMANDS = ("start", "stop", "kill", "runs")
_PLAY_S = 600.0


@dataclass(frozen=True)
class Papers:
    """Where the witness is asked, and the files that let a server ask it; paths on this machine."""

    members: Mapping[str, str]
    ca: Path
    cert: Path
    key: Path
    prefix: str = "/cloudctl/"


@dataclass(frozen=True)
class Watched:
    """What an observer looks at: a URL that answers while the site, or the application, is there."""

    site: str
    what: str
    url: str
    contains: str = ""


@dataclass(frozen=True)
class Wish:
    """An agent on one server: the group it belongs to, its site, and what writes there.

    Without `units` and `commands` it only observes, for instance at the third place.
    """

    group: str
    site: str
    server: str
    lease_s: float
    units: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    watched: tuple[Watched, ...] = ()


def service_name(group: str) -> str:
    """What files and the service of a group are called on a server: groups may be named in Chinese."""
    return f"cloudctl-agent-{hashlib.sha256(group.encode()).hexdigest()[:8]}"


def check(wish: Wish) -> None:
    """BadInput with all faults of a wish."""
    faults = []
    if wish.lease_s < LEAST_LEASE_S:
        faults.append(
            Fault("lease_s", "too_short", "must be {least} s at least", {"least": int(LEAST_LEASE_S)})
        )
    if wish.units and wish.commands:
        faults.append(Fault("units", "both", "name units of systemd or commands, not both"))
    if wish.commands and sorted(wish.commands) != sorted(COMMANDS):
        words = {"words": ", ".join(COMMANDS)}
        faults.append(Fault("commands", "missing", "all of {words} are needed", words))
    if not wish.units and not wish.commands and not wish.watched:
        faults.append(Fault("units", "missing", "an agent needs something to start and stop, or to observe"))
    if faults:
        raise BadInput("the agent cannot be installed so", faults=faults)


def variables(wish: Wish, papers: Papers) -> dict[str, Any]:
    """What the playbook needs; files by their paths, so that no key is in it. BadInput with all faults."""
    check(wish)
    times = timing(wish.lease_s)
    config: dict[str, Any] = {
        "group": wish.group,
        "site": wish.site,
        "place": wish.site,
        "server": wish.server,
        "members": dict(papers.members),
        "prefix": papers.prefix,
        "timing": asdict(times),
        "observe": [asdict(one) for one in wish.watched],
    }
    if not wish.units and not wish.commands:
        config["observes_only"] = True
    return {
        "agent_name": service_name(wish.group),
        "agent_config": config,
        "agent_scripts": str(Path(__file__).parent),
        "agent_files": {"ca": str(papers.ca), "cert": str(papers.cert), "key": str(papers.key)},
        "agent_units": list(wish.units),
        "agent_commands": dict(wish.commands),
        "agent_wall_s": max(1, int(times.soft_s - times.hard_s)),
    }


def install(
    plays: Plays, host: Host, wish: Wish, papers: Papers, is_stopped: Callable[[], bool] = lambda: False
) -> PlayResult:
    """Bring the agent to a server and start it; again changes nothing, and restarts nothing."""
    told = {**variables(wish, papers), "agent_machine": host.identity}
    play = Play(PLAYBOOK, (host,), told, timeout_s=_PLAY_S, idle_s=_PLAY_S)
    return plays.run(play, lambda *_news: None, is_stopped)


def missing(wanted: Sequence[str], enrolled: Sequence[str]) -> list[str]:
    """Servers of a plan at a site whose agents the witness has never heard of."""
    return sorted(set(wanted) - set(enrolled))
