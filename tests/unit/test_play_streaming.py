"""PostgreSQL's streaming replication as the playbooks make it: two real clusters, promoted and rewound."""

import importlib.util
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.services import free_port, postgres_programs
from tests.unit.playbook_modules import PLAYBOOKS, load

ADDRESS = {"one": "127.0.0.1", "two": "127.0.0.2"}
PASSWORD = "p:ss'word"  # what a file of passwords and a connection string both have to escape


@pytest.fixture(scope="module")
def streaming() -> ModuleType:
    name = "ansible.module_utils.postgresql_cluster"
    place = PLAYBOOKS / "module_utils" / "postgresql_cluster.py"
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return load("streaming")


class Pair:
    """Two servers, each with a cluster of its own, as two machines of two sites would have them."""

    def __init__(self, streaming: ModuleType, home: Path) -> None:
        self.module, self.home = streaming, home
        self.programs = postgres_programs()
        self.owner = "postgres" if os.geteuid() == 0 else None
        self.ports = {name: free_port() for name in ADDRESS}
        for name in ADDRESS:
            self._create(name)

    def _create(self, name: str) -> None:
        place = self.home / name
        place.mkdir()
        if self.owner:
            os.chown(place, pwd.getpwnam(self.owner).pw_uid, -1)
        data = place / "data"
        self.run(
            "initdb", "-D", data, "-U", "postgres", "--auth-local=trust", "--no-sync", "--locale=C.UTF-8"
        )
        options = f"-p {self.ports[name]} -c unix_socket_directories={place} -c fsync=off"
        self.run("pg_ctl", "-D", data, "-w", "-l", place / "log", "-o", options, "start")

    def run(self, program: str, *words: object) -> str:
        done = subprocess.run(
            [str(self.programs / program), *map(str, words)], user=self.owner, cwd="/", text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cluster(self, name: str) -> Any:
        return self.module.Cluster(str(self.home / name / "data"), 60)

    def play(self, state: str, name: str, **more: object) -> dict[str, Any]:
        """One run of the module at a server."""
        peer = "two" if name == "one" else "one"
        params = {
            "peer": ADDRESS[peer], "peer_port": self.ports[peer], "listen": ADDRESS[name],
            "sslmode": "prefer", "password": PASSWORD, "keep_mib": 64, "anew": False, "timeout_s": 60, **more,
        }  # fmt: skip
        result: dict[str, Any] = self.module.STATES[state](self.cluster(name), params)
        return result

    def ask(self, name: str, statement: str) -> str:
        return str(self.cluster(name).value(statement))

    def arrives(self, name: str, statement: str, answer: str) -> None:
        """The server comes to answer so: waits for the stream, not for a time."""
        self.cluster(name).wait_until(f"{answer} at {name}", lambda: self.ask(name, statement) == answer)

    def stop(self) -> None:
        for name in ADDRESS:
            for data in (self.home / name).glob("data*"):
                with suppress(AssertionError):
                    self.run("pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def pair(streaming: ModuleType) -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="cloudctl-pair-") as home:
        os.chmod(home, 0o755)
        pair = Pair(streaming, Path(home))
        yield pair
        pair.stop()


NOTES = "SELECT count(*) FROM note"


def test_a_server_follows_is_promoted_and_the_other_is_rewound_to_it(pair: Pair) -> None:
    pair.ask("one", "CREATE TABLE note (text text)")
    assert pair.play("primary", "one") == {"changed": True, "was_restarted": True}
    assert pair.play("primary", "one") == {"changed": False, "was_restarted": False}

    assert pair.play("standby", "two")["changed"]
    pair.ask("one", "INSERT INTO note VALUES ('streamed')")
    pair.arrives("two", NOTES, "1")
    assert not pair.play("standby", "two")["changed"], "again changes nothing"
    told = pair.cluster("one").told()
    assert (told["role"], [one["state"] for one in told["standbys"]]) == ("primary", ["streaming"])
    assert pair.cluster("two").told()["is_streaming"]
    assert pair.ask("two", "SHOW listen_addresses") == ADDRESS["two"], "the copy listens on its own address"

    pair.run("pg_ctl", "-D", pair.home / "two" / "data", "-m", "fast", "-w", "stop")
    pair.ask("one", "INSERT INTO note VALUES ('only at one')")
    pair.run("pg_ctl", "-D", pair.home / "one" / "data", "-m", "immediate", "stop")
    pair.cluster("two").start()
    assert pair.play("promoted", "two")["changed"]
    assert not pair.play("promoted", "two")["changed"], "again changes nothing"
    pair.ask("two", "INSERT INTO note VALUES ('written at two')")
    assert pair.play("primary", "two")["changed"]

    assert pair.play("rewound", "one")["changed"]
    pair.arrives("one", "SELECT string_agg(text, ',' ORDER BY text) FROM note", "streamed,written at two")
    assert pair.ask("one", "SELECT pg_is_in_recovery()") == "t"
    assert not pair.play("rewound", "one")["changed"], "again changes nothing"
    assert pair.cluster("one").told()["timeline"] == 2
