"""Two PostgreSQL clusters of this machine, as two servers of two sites have them, and plays on them."""

import importlib.util
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.services import free_port, postgres_programs
from tests.unit.playbook_modules import PLAYBOOKS, load

ADDRESS = {"one": "127.0.0.1", "two": "127.0.0.2"}
PASSWORD = "p:ss'word"  # what a file of passwords and a connection string both have to escape


def streaming_module() -> ModuleType:
    """The module `streaming` with what it imports."""
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
        """In a directory of root's, as the mount of a data volume is one."""
        place = self.home / name
        data, run = place / "data", place / "run"
        for one in (place, data, run):
            one.mkdir()
            one.chmod(0o755 if one is place else 0o700)  # whatever the umask says
            if self.owner and one is not place:
                os.chown(one, pwd.getpwnam(self.owner).pw_uid, -1)
        self.run(
            "initdb", "-D", data, "-U", "postgres", "--auth-local=trust", "--no-sync", "--locale=C.UTF-8"
        )
        options = f"-p {self.ports[name]} -c unix_socket_directories={run} -c fsync=off"
        self.run("pg_ctl", "-D", data, "-w", "-l", run / "log", "-o", options, "start")

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
            "sslmode": "prefer", "password": PASSWORD, "keep_mib": 64, "anew": False, "keep": "",
            "timeout_s": 60, **more,
        }  # fmt: skip
        result: dict[str, Any] = self.module.STATES[state](self.cluster(name), params)
        return result

    def ask(self, name: str, statement: str) -> str:
        return str(self.cluster(name).value(statement))

    def arrives(self, name: str, statement: str, answer: str) -> None:
        """The server comes to answer so: waits for the stream, not for a time."""
        self.cluster(name).wait_until(f"{answer} at {name}", lambda: self.ask(name, statement) == answer)

    def halt(self, name: str, mode: str = "fast") -> None:
        """Stop one server as somebody does who knows nothing of plays; `immediate`: as a loss does."""
        self.run("pg_ctl", "-D", self.home / name / "data", "-m", mode, "-w", "stop")

    @property
    def failure(self) -> type[Exception]:
        """What the module raises."""
        found: type[Exception] = self.module.Failure
        return found

    def ask_kept(self, name: str, word: str, statement: str) -> str:
        """What a directory that was kept beside answers; the server of that name stands still."""
        run, kept = self.home / name / "run", self.home / name / f"data.cloudctl-kept-{word}"
        options = f"-p {self.ports[name]} -c unix_socket_directories={run} -c fsync=off"
        self.run("pg_ctl", "-D", kept, "-w", "-l", run / "log", "-o", options, "start")
        said = self.run("psql", "-h", run, "-p", self.ports[name], "-U", "postgres", "-A", "-t", "-c",
                        statement)  # fmt: skip
        self.run("pg_ctl", "-D", kept, "-m", "fast", "-w", "stop")
        return said.strip()

    def told(self, name: str) -> dict[str, Any]:
        """What a play tells of the server at its end."""
        cluster = self.cluster(name)
        found: dict[str, Any] = cluster.told() if cluster.pid() else cluster.ended()
        return found

    def stop(self) -> None:
        for name in ADDRESS:
            for data in (self.home / name).glob("data*"):
                with suppress(AssertionError):
                    self.run("pg_ctl", "-D", data, "-m", "immediate", "stop")


@contextmanager
def a_pair() -> Iterator[Pair]:
    """Two clusters that know nothing of each other; stopped and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="cloudctl-pair-") as home:
        os.chmod(home, 0o755)
        pair = Pair(streaming_module(), Path(home))
        try:
            yield pair
        finally:
            pair.stop()
