#!/usr/bin/python3
"""The agent: asks the register who may write, and lets the keeper beside it run the writers only so long.

It runs on a server of the system, or at a third place where it only observes. A lease counts from the
question, never from the answer. When the register, as a majority of the witness has it, does not let this
site write, the writers are stopped, and when they stand still the agent says so there. When no majority
answers, nothing is renewed and the keeper stops them in time. It needs nothing but Python's own library (3.7
or newer).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import select
import signal
import ssl
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

OBSERVE_S, KEEP_S, PATIENCE_S = 10.0, 30, 5.0
Json = Any


def clock() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def pause(seconds: float) -> None:
    """Not time.sleep, which fails where somebody has put a false clock under the process."""
    select.select([], [], [], max(0.0, seconds))


def stamp() -> str:
    """The time of the wall, which only people read."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def say(line: str) -> None:
    """For the log."""
    sys.stderr.write(f"{stamp()} {line}\n")
    sys.stderr.flush()


def beside(name: str) -> str:
    """The path of another script of the agent's."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)


def ask(question: str, about: str = "") -> tuple[int, str]:
    """What the script beside us finds out about the world: its exit code, and what it wrote."""
    argv = [sys.executable, beside("facts_script.py"), question]
    done = subprocess.run(argv, check=False, input=about.encode(), stdout=subprocess.PIPE)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def machine() -> str:
    """The UUID that its cloud gave this machine; empty: none did."""
    return ask("uuid")[1]


class Silence(Exception):
    """No majority of the witness answered."""


class Cut(Silence):
    """Not even a connection to any member: there is no way to them."""


class Witness:
    """The members of etcd over their JSON gateway. Reads are linearizable."""

    def __init__(self, config: Json) -> None:
        self._members = list(config["members"].values())
        self._prefix = config.get("prefix", "/cloudctl/")
        self._patience_s = config["timing"]["ask_s"]
        self._trust = ssl.create_default_context(cafile=config["ca"])
        self._trust.load_cert_chain(config["cert"], config["key"])

    def read(self, *words: str) -> tuple[float, Json]:
        """When the question was asked that was answered, and the entry of that name; None: there is none."""
        return self._get(self.key(*words))[:2]

    def put(self, key: str, value: Json, keep_s: int = 0) -> None:
        """Replace what is there; it is forgotten after so long, 0: never."""
        lease = str(self._ask("lease/grant", {"TTL": str(keep_s)})[1]["ID"]) if keep_s else "0"
        self._ask("kv/put", {"key": key, "value": encoded(json.dumps(value)), "lease": lease})

    def enrol(self, key: str, lease_s: float) -> bool:
        """Put the server on the list; its word stays, and a longer lease counts. False: ask again."""
        _asked, said, revision = self._get(key)
        if said is not None and said.get("lease_s", 0) >= lease_s:
            return True
        is_same = {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision}
        put = {"key": key, "value": encoded(json.dumps({**(said or {}), "lease_s": lease_s}))}
        answer = self._ask("kv/txn", {"compare": [is_same], "success": [{"request_put": put}]})[1]
        return bool(answer.get("succeeded"))

    def key(self, *words: str) -> str:
        """As cloudctl's driver names them."""
        return encoded(self._prefix + "/".join(quote(word, safe="") for word in words))

    def _get(self, key: str) -> tuple[float, Json, str]:
        asked, answer = self._ask("kv/range", {"key": key})
        for found in answer.get("kvs", []):
            return asked, json.loads(base64.b64decode(found["value"])), found["mod_revision"]
        return asked, None, "0"

    def _ask(self, path: str, body: Json) -> tuple[float, Json]:
        said, is_there = [], False
        for member in list(self._members):
            place, asked = urlsplit(member), clock()
            line = http.client.HTTPSConnection(place.netloc, timeout=self._patience_s, context=self._trust)
            try:
                line.request("POST", f"/v3/{path}", json.dumps(body))
                answer = line.getresponse()
                text, is_there = answer.read(), True
                if answer.status == http.HTTPStatus.OK:
                    self._members.remove(member)
                    self._members.insert(0, member)  # who answers is asked first
                    return asked, json.loads(text)
                said.append(f"{place.hostname}: {text.decode('utf-8', 'replace').strip()[:120]}")
            except (OSError, ValueError, http.client.HTTPException) as error:
                said.append(f"{place.hostname}: {error or type(error).__name__}")
                is_there = is_there or isinstance(error, ConnectionRefusedError)
            finally:
                is_there = is_there or line.sock is not None
                line.close()
        raise (Silence if is_there else Cut)("; ".join(said))


def encoded(text: str) -> str:
    """As the gateway takes keys and values."""
    return base64.b64encode(text.encode()).decode()


class KeeperProcess:
    """The keeper beside us. When it gives no sign it is killed, and its work done here."""

    def __init__(self, config: Json, config_file: str) -> None:
        self._config, self._times, self._number = config, config["timing"], 0
        self._mark = os.path.join(config["state"], "keeper.pid")
        self._status: Json = {"n": 0, "phase": "", "still": False}
        self._changed = threading.Condition()
        end_former(self._mark)
        argv, pipe = [sys.executable, beside("keeper_script.py"), config_file], subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, start_new_session=True)
        write_file(self._mark, f"{self._process.pid} {started_at(self._process.pid)}")
        threading.Thread(target=self._guard, daemon=True).start()

    def grant(self, until: float, host_until: float | None = None) -> None:
        """Let the writers run until then; by the host's clock as well, where there is one."""
        self._send(until, {} if host_until is None else {"host": host_until})

    def stop(self, within_s: float) -> bool:
        """Have the writers stopped; whether they were seen to stand still in time."""
        number = self._send(0)
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self._status["n"] >= number and self._status["still"]), within_s
            )

    def phase(self) -> str:
        """What the keeper does, by its last sign."""
        return str(self._status["phase"])

    def host(self) -> float | None:
        """The host's clock at the keeper's last sign, so not later than now; None: there is none."""
        return self._status.get("host")  # type: ignore[no-any-return]

    def _send(self, until: float, more: Json = None) -> int:
        self._number += 1
        line = json.dumps({"n": self._number, "until": until, **(more or {})}).encode() + b"\n"
        with contextlib.suppress(OSError):  # a keeper that is gone is seen by the watch
            os.write(self._process.stdin.fileno(), line)  # type: ignore[union-attr]
        return self._number

    def _guard(self) -> None:
        """Without its watch the agent is not to go on: the keeper stops the writers when it ends."""
        try:
            self._watch()
        finally:
            os._exit(1)

    def _watch(self) -> None:
        """Hear the keeper's signs; without any for too long, or when it ended, stop the writers ourselves."""
        output = self._process.stdout.fileno()  # type: ignore[union-attr]
        heard, rest = clock() + PATIENCE_S, b""  # it has to start first
        while True:
            ready, _, _ = select.select([output], [], [], self._times["tick_s"])
            if ready:
                said = os.read(output, 65536)
                if not said:
                    break
                *lines, rest = (rest + said).split(b"\n")
                if lines:
                    heard = clock()
                    with self._changed:
                        self._status = json.loads(lines[-1])
                        self._changed.notify_all()
            elif clock() - heard > self._times["silence_s"]:
                break
        say("the keeper gives no sign: the writers are killed, and all begins anew")
        end_session(self._process.pid)
        kill_writers(self._config)
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606


def kill_writers(config: Json) -> None:
    """Until they stand still, however long that takes; begins at once."""
    while True:
        for word in ("kill", "runs"):
            try:
                argv, most_s = [config["writers"], word], config["timing"]["hard_s"] / 4
                done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, timeout=most_s)
            except (OSError, subprocess.TimeoutExpired) as error:
                say(f"{word}: {error}")
                break
            if word == "runs" and done.returncode == 1:
                return


def end_former(mark: str) -> None:
    """Kill a keeper that an agent before us has left behind, perhaps stopped in the middle of something."""
    pid, started = 0, 0
    with contextlib.suppress(ValueError):
        pid, started = map(int, read_file(mark).split())
    while started and started_at(pid) == started:
        end_session(pid)
        pause(0.02)


def end_session(session: int) -> None:
    """Kill a keeper and what it has begun, a start above all, which would go on by itself."""
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    below = (pid for pid in found if stat_of(pid)[3:4] == [str(session)])
    for pid in sorted(below, key=session.__ne__):  # the keeper first: it begins nothing anew
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def started_at(pid: int) -> int:
    """In ticks since the machine's start: pids come round again. 0: there is no such process any more."""
    words = stat_of(pid)
    return 0 if not words or words[0] in "ZX" else int(words[19])


def stat_of(pid: int) -> list[str]:
    """What the kernel says of a process from its state on; nothing where there is none."""
    return read_file(f"/proc/{pid}/stat").rpartition(")")[2].split()


def read_file(path: str) -> str:
    """Its text; empty where there is none."""
    with contextlib.suppress(OSError), open(path) as file:
        return file.read()
    return ""


def write_file(path: str, text: str) -> None:
    """In one move, and on the disk when it returns."""
    with open(path + ".new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def at_home(config: Json, witness: Witness) -> Json:
    """What the agent was told, for the machine it wakes on; None where nobody said what that machine is.

    A disk that was copied or moved to another machine brings a file that speaks of the first one. Whose that
    machine is, the move that made it has told the witness.
    """
    here = machine()
    if config.get("machine", "") in {"", here}:
        return config
    home = witness.read("homes", config["group"], here)[1]
    return None if home is None else {**config, **home, "place": home["site"]}


class Agent:
    """Asks, lets run, stops, says so. `turn` is one question with all that follows from it."""

    def __init__(self, config: Json, witness: Witness, keeper: KeeperProcess) -> None:
        self._config, self._times = config, config["timing"]
        self._group, self._site, self._key = config["group"], "", ""
        self._witness, self._keeper = witness, keeper
        self._file = os.path.join(config["state"], "epoch")
        self._epoch, self._is_enrolled = int(read_file(self._file) or 0), False
        self._said = -1  # the epoch of the register for which the word was said

    def turn(self) -> None:
        """Silence when no majority answers: then nothing is renewed, but in a rehearsal."""
        try:
            self._ask()
        except Cut as cut:
            if not self._rehearses():
                raise
            say(f"a rehearsal, cut off as it should be: the writers run ({cut})")
            self._grant(clock(), self._keeper.host())

    def _rehearses(self) -> bool:
        """On a copy that a drill or a proof started. One that got out has a connection to the witness, to
        which nobody has told this machine, and runs nothing."""
        is_copy = self._config.get("machine", "") not in {"", machine()}
        return is_copy and not self._is_enrolled and ask("rehearsal")[0] == 0

    def _grant(self, asked: float, host: float | None) -> None:
        lease_s = self._times["lease_s"]
        self._keeper.grant(asked + lease_s, None if host is None else host + lease_s)

    def _ask(self) -> None:
        if not self._is_enrolled and not self._enrol():
            self._keeper.stop(0)
            return
        host = self._keeper.host()
        asked, entry = self._witness.read("register", self._group)
        if entry is not None and entry["is_open"] and entry["holder"] == self._site:
            if entry["epoch"] > self._epoch:
                self._epoch = entry["epoch"]
                write_file(self._file, str(self._epoch))
            self._grant(asked, host)
        elif entry is None:
            self._keeper.stop(0)
        elif self._said != entry["epoch"] or self._keeper.phase() == "run":
            say(f"epoch {entry['epoch']} is not ours to write: the writers are stopped")
            if self._keeper.stop(self._times["soft_s"]):
                word = {"epoch": self._epoch, "at": stamp(), "seen": entry["epoch"]}
                self._witness.put(self._key, {**word, "lease_s": self._times["lease_s"]})
                self._said = entry["epoch"]
                say("the writers stand still, and the witness knows")

    def _enrol(self) -> bool:
        """Who may ever have a lease is on the list before. A machine that nobody settled says nothing."""
        home = at_home(self._config, self._witness)
        if home is None:
            say(f"the agent was installed on another machine than {machine()}: nothing runs")
            return False
        self._site = home["site"]
        self._key = self._witness.key("agents", self._group, self._site, home["server"])
        self._is_enrolled = self._witness.enrol(self._key, self._times["lease_s"])
        return self._is_enrolled


def observe(config: Json, witness: Witness, place: Json) -> None:
    """Look at one thing and tell the witness, unless nobody knows whose machine this is. Silence as ever."""
    config = at_home(config, witness)
    if config is None:
        return
    code, detail = ask("look", json.dumps(place))
    seen = {"place": config["place"], "site": place["site"], "what": place["what"]}
    key = witness.key("seen", config["group"], *seen.values())
    value = {**seen, "is_ok": code == 0, "at": stamp(), "detail": detail}
    witness.put(key, value, config.get("keep_s", KEEP_S))


def observe_always(config: Json, place: Json) -> None:
    """For ever; each thing in a thread of its own, so that one that hangs delays no other."""
    witness = Witness(config)
    while True:
        try:
            observe(config, witness, place)
        except (Silence, OSError, ValueError, KeyError) as error:
            say(f"{place.get('what')} of {place.get('site')} is not told: {error}")
        pause(config.get("observe_s", OBSERVE_S))


def main(path: str) -> None:
    """Until it is ended; the keeper stops the writers then."""
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    for place in config.get("observe", []):
        threading.Thread(target=observe_always, args=(config, place), daemon=True).start()
    agent = None
    if config.get("writers"):
        os.makedirs(config["state"], mode=0o700, exist_ok=True)
        agent = Agent(config, Witness(config), KeeperProcess(config, path))
    while True:
        began = clock()
        try:
            if agent is not None:
                agent.turn()
        except (Silence, OSError) as error:
            say(f"nothing is renewed: {error or type(error).__name__}")
        pause(config["timing"]["renew_s"] - (clock() - began))


if __name__ == "__main__":
    main(sys.argv[1])
