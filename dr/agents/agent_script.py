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

OBSERVE_S, KEEP_S = 10.0, 30
PATIENCE_S = 5.0

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


class Silence(Exception):
    """No majority of the witness answered."""


class Witness:
    """The members of etcd over their JSON gateway. Reads are linearizable."""

    def __init__(self, config: Json) -> None:
        self._members = list(config["members"].values())
        self._prefix = config.get("prefix", "/cloudctl/")
        self._patience_s = config["timing"]["ask_s"]
        self._trust = ssl.create_default_context(cafile=config["ca"])
        self._trust.load_cert_chain(config["cert"], config["key"])

    def read(self, group: str) -> tuple[float, Json]:
        """When the question was asked that was answered, and the entry of the group; None: there is none."""
        asked, answer = self._ask("kv/range", {"key": self.key("register", group)})
        found = answer.get("kvs", [])
        return asked, json.loads(base64.b64decode(found[0]["value"])) if found else None

    def put(self, key: str, value: Json, lease: str = "0") -> None:
        """Replace what is there."""
        self._ask("kv/put", {"key": key, "value": encoded(json.dumps(value)), "lease": lease})

    def put_new(self, key: str, value: Json) -> None:
        """Put it there unless there is something."""
        is_new = {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": "0"}
        put = {"request_put": {"key": key, "value": encoded(json.dumps(value))}}
        self._ask("kv/txn", {"compare": [is_new], "success": [put]})

    def lease(self, seconds: int) -> str:
        """What a key hangs on that is to be forgotten after so long."""
        return str(self._ask("lease/grant", {"TTL": str(seconds)})[1]["ID"])

    def key(self, *words: str) -> str:
        """As cloudctl's driver names them."""
        return encoded(self._prefix + "/".join(quote(word, safe="") for word in words))

    def _ask(self, path: str, body: Json) -> tuple[float, Json]:
        said = []
        for member in list(self._members):
            place, asked = urlsplit(member), clock()
            line = http.client.HTTPSConnection(
                place.hostname or "", place.port, timeout=self._patience_s, context=self._trust
            )
            try:
                line.request("POST", f"/v3/{path}", json.dumps(body))
                answer = line.getresponse()
                text = answer.read()
                if answer.status == http.HTTPStatus.OK:
                    self._members.remove(member)
                    self._members.insert(0, member)  # who answers is asked first
                    return asked, json.loads(text)
                said.append(f"{place.hostname}: {text.decode('utf-8', 'replace').strip()[:120]}")
            except (OSError, ValueError, http.client.HTTPException) as error:
                said.append(f"{place.hostname}: {error or type(error).__name__}")
            finally:
                line.close()
        raise Silence("; ".join(said))


def encoded(text: str) -> str:
    """As the gateway takes keys and values."""
    return base64.b64encode(text.encode()).decode()


class KeeperProcess:
    """The keeper beside us. When it gives no sign it is killed, and its work done here."""

    def __init__(self, config: Json, config_file: str) -> None:
        self._config, self._times = config, config["timing"]
        self._mark = os.path.join(config["state"], "keeper.pid")
        self._status: Json = {"n": 0, "phase": "", "still": False}
        self._changed = threading.Condition()
        self._number = 0
        end_former(self._mark)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keeper_script.py")
        self._process = subprocess.Popen(
            [sys.executable, script, config_file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        write_file(self._mark, f"{self._process.pid} {started_at(self._process.pid)}")
        threading.Thread(target=self._guard, daemon=True).start()

    def grant(self, until: float) -> None:
        """Let the writers run until then."""
        self._send(until)

    def stop(self, within_s: float) -> bool:
        """Have the writers stopped; whether they were seen to stand still in time."""
        number = self._send(0)
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self._status["n"] >= number and self._status["still"]), within_s
            )

    def phase(self) -> str:
        """What the keeper does with the writers, by its last sign."""
        return str(self._status["phase"])

    def _send(self, until: float) -> int:
        self._number += 1
        line = json.dumps({"n": self._number, "until": until}) + "\n"
        with contextlib.suppress(OSError):  # a keeper that is gone is seen by the watch
            os.write(self._process.stdin.fileno(), line.encode())  # type: ignore[union-attr]
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
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        kill_writers(self._config)
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606


def kill_writers(config: Json) -> None:
    """Until they stand still, however long that takes; begins at once."""
    while True:
        for word in ("kill", "runs"):
            try:
                done = subprocess.run(
                    [config["writers"], word],
                    check=False,
                    stdin=subprocess.DEVNULL,
                    timeout=config["timing"]["hard_s"] / 4,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                say(f"{word}: {error}")
                break
            if word == "runs" and done.returncode == 1:
                return


def end_former(mark: str) -> None:
    """Kill a keeper that an agent before us has left behind, perhaps stopped in the middle of something."""
    try:
        with open(mark) as file:
            pid, started = (int(word) for word in file.read().split())
    except (OSError, ValueError):
        return
    while started_at(pid) == started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        pause(0.02)


def started_at(pid: int) -> int:
    """In ticks since the machine's start: pids come round again. 0: there is no such process any more."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if words[0] in "ZX" else int(words[19])


def write_file(path: str, text: str) -> None:
    """In one move, and on the disk when it returns."""
    with open(path + ".new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


class Agent:
    """Asks, lets run, stops, says so. `turn` is one question with all that follows from it."""

    def __init__(self, config: Json, witness: Witness, keeper: KeeperProcess) -> None:
        self._config, self._times = config, config["timing"]
        self._group, self._site, self._server = config["group"], config["site"], config["server"]
        self._witness, self._keeper = witness, keeper
        self._file = os.path.join(config["state"], "epoch")
        self._epoch = self._newest_epoch()
        self._is_enrolled = False
        self._said = -1  # the epoch of the register for which the word was said

    def turn(self) -> None:
        """Silence when no majority answers: then nothing is renewed."""
        if not self._is_enrolled:  # who may ever have had a lease is on the list before
            self._witness.put_new(self._key(), {})
            self._is_enrolled = True
        asked, entry = self._witness.read(self._group)
        if entry is not None and entry["is_open"] and entry["holder"] == self._site:
            if entry["epoch"] > self._epoch:
                self._epoch = entry["epoch"]
                write_file(self._file, str(self._epoch))
            self._keeper.grant(asked + self._times["lease_s"])
        elif entry is None:
            self._keeper.stop(0)
        elif self._said != entry["epoch"] or self._keeper.phase() == "run":
            say(f"epoch {entry['epoch']} is not ours to write: the writers are stopped")
            if self._keeper.stop(self._times["soft_s"]):
                word = {"epoch": self._epoch, "at": stamp(), "seen": entry["epoch"]}
                self._witness.put(self._key(), word)
                self._said = entry["epoch"]
                say("the writers stand still, and the witness knows")

    def _key(self) -> str:
        return self._witness.key("agents", self._group, self._site, self._server)

    def _newest_epoch(self) -> int:
        try:
            with open(self._file) as file:
                return int(file.read())
        except FileNotFoundError:
            return 0


def look(place: Json) -> tuple[bool, str]:
    """Whether what is to be observed answers as it should, and what was seen."""
    url = urlsplit(place["url"])
    try:
        host, port = url.hostname or "", url.port
        line = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        if url.scheme == "https":
            trust = ssl.create_default_context(cafile=place.get("ca"))
            line = http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=trust)
        with contextlib.closing(line):
            line.request("GET", url.path or "/", headers={"Connection": "close"})
            answer = line.getresponse()
            text = answer.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"{type(error).__name__}: {error}"[:160]
    is_right = answer.status < http.HTTPStatus.INTERNAL_SERVER_ERROR and place.get("contains", "") in text
    return is_right, f"HTTP {answer.status}"


def observe(config: Json, witness: Witness, place: Json) -> None:
    """Look at one thing and tell the witness. Silence when no majority answers."""
    is_ok, detail = look(place)
    seen = {"place": config["place"], "site": place["site"], "what": place["what"]}
    key = witness.key("seen", config["group"], *seen.values())
    value = {**seen, "is_ok": is_ok, "at": stamp(), "detail": detail}
    witness.put(key, value, witness.lease(config.get("keep_s", KEEP_S)))


def observe_always(config: Json, place: Json) -> None:
    """For ever; each thing in a thread of its own, so that one that hangs delays no other."""
    witness = Witness(config)
    while True:
        try:
            observe(config, witness, place)
        except (Silence, ValueError, KeyError) as error:
            say(f"{place.get('what')} of {place.get('site')} is not told: {error}")
        pause(config.get("observe_s", OBSERVE_S))


def main(path: str) -> None:
    """Until it is ended; the keeper stops the writers then."""
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    for place in config.get("observe", []):
        threading.Thread(target=observe_always, args=(config, place), daemon=True).start()
    agent: Agent | None = None
    if config.get("writers"):
        os.makedirs(config["state"], mode=0o700, exist_ok=True)
        agent = Agent(config, Witness(config), KeeperProcess(config, path))
    while True:
        began = clock()
        try:
            if agent is not None:
                agent.turn()
        except Silence as silence:
            say(f"no majority of the witness answers: {silence}")
        pause(config["timing"]["renew_s"] - (clock() - began))


if __name__ == "__main__":
    main(sys.argv[1])
