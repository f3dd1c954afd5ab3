"""Two servers with a database each, and plays on them: in memory, and as PostgreSQL of this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cloudctl.errors import NotFound
from cloudctl.ports import Ending, Host, HostResult, OnTask, Play, PlayResult
from dr.plans.document import Database
from dr.ways.databases import Databases, Pair
from provisioning.drivers.fake_databases import FakeDatabases
from provisioning.drivers.fake_plays import FakePlays
from tests import postgres_pair

HOME, AWAY = "province", "city-1"
ADDRESS = {HOME: postgres_pair.ADDRESS["one"], AWAY: postgres_pair.ADDRESS["two"]}
NAME = {HOME: "one", AWAY: "two"}
STATES = {
    "database_primary": "primary", "database_standby": "standby", "database_demote": "demoted",
    "database_regain": "regained", "database_promote": "promoted", "database_rewind": "rewound",
}  # fmt: skip


class Bench(Protocol):
    """What a test does to the servers beside the plays."""

    asked: Databases

    def write(self, site: str, text: str) -> None: ...
    def texts(self, site: str) -> list[str]: ...
    def kept(self, site: str, word: str) -> list[str]: ...
    def stop(self, site: str, is_clean: bool = True) -> None: ...
    def start(self, site: str) -> None: ...
    def wait(self, what: str, happened: Callable[[], bool]) -> None: ...


def a_pair() -> Pair:
    """The two as a plan names them."""
    hosts = {site: Host(f"db-{NAME[site]}", ADDRESS[site], NAME[site]) for site in ADDRESS}
    return Pair("budget", "db", Database({HOME: "db-one", AWAY: "db-two"}), hosts)


@dataclass
class InMemory:
    """The fake."""

    asked: Databases
    databases: FakeDatabases

    def write(self, site: str, text: str) -> None:
        assert self.databases.write(ADDRESS[site], text)

    def texts(self, site: str) -> list[str]:
        self.databases.flow()
        return list(self.databases.at[ADDRESS[site]].log)

    def kept(self, site: str, word: str) -> list[str]:
        return self.databases.at[ADDRESS[site]].kept[word]

    def stop(self, site: str, is_clean: bool = True) -> None:
        self.databases.stop(ADDRESS[site], is_clean)

    def start(self, site: str) -> None:
        self.databases.start(ADDRESS[site])

    def wait(self, what: str, happened: Callable[[], bool]) -> None:
        assert happened(), what


class LocalPlays:
    """Plays whose servers are clusters of this machine: the module is called as Ansible calls it."""

    def __init__(self, pair: postgres_pair.Pair) -> None:
        self._pair = pair
        self._names = {address: name for name, address in postgres_pair.ADDRESS.items()}

    def reaches(self, host: Host) -> bool:
        return host.address in self._names

    def public_key(self) -> str:
        raise NotFound("nobody signs in here")

    def run(
        self,
        play: Play,
        on_task: OnTask = lambda _host, _task, _outcome: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> PlayResult:
        hosts = {host.name: self._at(play, host) for host in play.hosts}
        is_fine = all(one.is_fine for one in hosts.values())
        return PlayResult(Ending.DONE if is_fine else Ending.FAILED, hosts)

    def _at(self, play: Play, host: Host) -> HostResult:
        name, changed = self._names[host.address], 0
        try:
            if play.playbook != "database_lag":
                more: dict[str, Any] = {"keep": play.variables.get("standby_keep", "")}
                if "replication_password" in play.variables:
                    more["password"] = play.variables["replication_password"]
                changed = int(self._pair.play(STATES[play.playbook], name, **more)["changed"])
            return HostResult(ok=1, changed=changed, told=self._pair.told(name))
        except self._pair.failure as failure:
            return HostResult(failed=1, message=str(failure))


@dataclass
class Real:
    """PostgreSQL."""

    asked: Databases
    pair: postgres_pair.Pair

    def write(self, site: str, text: str) -> None:
        self.pair.ask(NAME[site], f"INSERT INTO note (text) VALUES ('{text}')")

    def texts(self, site: str) -> list[str]:
        said = self.pair.ask(NAME[site], "SELECT string_agg(text, ',' ORDER BY number) FROM note")
        return said.split(",")

    def kept(self, site: str, word: str) -> list[str]:
        """Read by a server that is started on what was kept, once the one of the site is stopped."""
        self.stop(site)
        said = self.pair.ask_kept(NAME[site], word, "SELECT string_agg(text, ',' ORDER BY number) FROM note")
        self.start(site)
        return said.split(",")

    def stop(self, site: str, is_clean: bool = True) -> None:
        self.pair.halt(NAME[site], "fast" if is_clean else "immediate")

    def start(self, site: str) -> None:
        self.pair.cluster(NAME[site]).start()

    def wait(self, what: str, happened: Callable[[], bool]) -> None:
        """The stream takes a moment."""
        self.pair.cluster("one").wait_until(what, happened)


@contextmanager
def benches(kind: str, home: Path) -> Iterator[Bench]:
    """Two databases that know nothing of each other."""
    if kind == "fake":
        databases = FakeDatabases({address: site for site, address in ADDRESS.items()})
        yield InMemory(Databases(FakePlays(books=databases.books()), home / "secrets"), databases)
        return
    with postgres_pair.a_pair() as pair:
        pair.ask("one", "CREATE TABLE note (number serial, text text)")
        yield Real(Databases(LocalPlays(pair), home / "secrets"), pair)
