"""One PostgreSQL cluster on a server: its programs, its server, its settings, and how it follows another.

Whatever supervises PostgreSQL may start it again at any moment. A server writes its control file under the
absolute name of its directory (UpdateControlFile), so nothing may be put in that place while it runs.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import hashlib
import hmac
import os
import pwd
import re
import shutil
import signal
import subprocess
import time

ROLE = SLOT = "cloudctl_replication"
SIGNAL, AUTO = "standby.signal", "postgresql.auto.conf"
MOVED, FRESH, KEPT = ".cloudctl-moved", ".cloudctl-fresh", ".cloudctl-kept-"
PLACES = ("/srv/data/postgresql", "/var/lib/postgresql/*/*")
PAUSE_S = 0.2
TRIES = 20
#: What pg_rewind reads of its source (PostgreSQL's documentation of pg_rewind, notes).
READS = (
    "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)  # fmt: skip


class Failure(Exception):
    """What cannot be done, in words for people."""


def find(data: str | None) -> str:
    """The data directory that was named, or the only one there is; Failure when that is not clear."""
    if data:
        return data
    there = [one for place in PLACES for one in sorted(glob.glob(place)) if is_cluster(one)]
    there += [one[: -len(MOVED)] for place in PLACES for one in sorted(glob.glob(place + MOVED))]
    beside = (MOVED, FRESH, ".cloudctl-before")
    there = [one for one in dict.fromkeys(there) if not one.endswith(beside) and KEPT not in one]
    if len(there) > 1 and there[0] == PLACES[0]:
        return there[0]  # on the data volume: what the image had stays unused
    if len(there) != 1:
        raise Failure(f"name the data directory: there are {len(there)} ({', '.join(there)})")
    return there[0]


def runs_in(place: str) -> bool:
    """Whether a server has the directory as its own, under whatever name it was started."""
    for link in glob.glob("/proc/[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.path.samefile(link, place):
                return True
    return False


def is_cluster(place: str) -> bool:
    return os.path.exists(os.path.join(place, "PG_VERSION"))


class Cluster:
    """One data directory, the programs of its version, and the server that runs on it."""

    def __init__(self, data: str, timeout_s: float) -> None:
        self.data, self.timeout_s = data, timeout_s
        self.moved, self.fresh = data + MOVED, data + FRESH
        home = next((one for one in (data, self.moved, self.fresh) if is_cluster(one)), None)
        if home is None:
            raise Failure(f"{data} is no data directory of PostgreSQL")
        with open(os.path.join(home, "PG_VERSION"), encoding="ascii") as file:
            self.programs = f"/usr/lib/postgresql/{file.read().strip()}/bin"
        self.owner = pwd.getpwuid(os.stat(home).st_uid)

    def run(self, program: str, *words: str, password: str = "") -> str:
        """The output of one of PostgreSQL's programs, run as the owner of the data."""
        env = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
        if password:
            env["PGPASSWORD"] = password
        who = {} if os.geteuid() == self.owner.pw_uid else {
            "user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []
        }  # fmt: skip
        try:
            done = subprocess.run(
                [f"{self.programs}/{program}", *words], env=env, cwd="/", stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=self.timeout_s, check=False, **who,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{program} did not end within {self.timeout_s:g} s") from late
        if done.returncode:
            raise Failure(f"{program}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    # -- the server

    def pid(self) -> int | None:
        """The pid of the server on the directory, while it runs."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8") as file:
                pid = int(file.readline())
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                return pid if file.read().startswith("postgres") else None
        return None

    def _lines(self) -> list[str]:
        with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8") as file:
            return file.read().splitlines()

    def ask(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """The rows of the answer; the server is asked by its own socket."""
        try:
            lines = self._lines()
            port, directory = lines[3], lines[4]
        except (OSError, IndexError) as gone:
            raise Failure("PostgreSQL does not run") from gone
        said = self.run("psql", "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", directory,
                        "-p", port, "-d", database, "-c", statement)  # fmt: skip
        return [line.split("\t") for line in said.splitlines()]

    def value(self, statement: str) -> str:
        rows = self.ask(statement)
        return rows[0][0] if rows and rows[0] else ""

    def wait_until(self, what: str, happened) -> None:
        """Failure when it has not come by the deadline."""
        deadline = time.monotonic() + self.timeout_s
        while not self._is(happened):
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {self.timeout_s:g} s")
            time.sleep(PAUSE_S)

    @staticmethod
    def _is(happened) -> bool:
        try:
            return bool(happened())
        except Failure:
            return False

    def stop(self) -> None:
        """End the server in order, and wait until that very process has ended."""
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)  # fast: sessions are ended, a checkpoint is written
            self.wait_until("the server to stop", lambda: self.pid() != pid)

    def take_away(self, place: str) -> None:
        """Stop the server and move its directory before whoever supervises it starts it again."""
        for _ in range(TRIES):
            self.stop()
            os.rename(self.data, place)
            if not runs_in(place):
                return
            os.rename(place, self.data)
        raise Failure("it is started again before its directory can be moved: stop what supervises it")

    def start(self) -> None:
        """Wait for whoever supervises the server; start it where nobody does."""
        patience = time.monotonic() + 3
        while self.pid() is None and time.monotonic() < patience:
            time.sleep(PAUSE_S)
        if self.pid() is None:
            log = os.path.join(self.data, "cloudctl-start.log")  # its owner may write nowhere else
            try:
                self.run("pg_ctl", "-D", self.data, "-w", "-l", log, *self._options(), "start")
            except Failure:
                if self.pid() is None:  # else somebody was faster
                    raise
        self.wait_until("the server to answer", lambda: self.value("SELECT 1") == "1")

    def _options(self) -> list[str]:
        """What the server was started with last: Debian keeps its configuration elsewhere."""
        with contextlib.suppress(OSError):
            with open(os.path.join(self.data, "postmaster.opts"), encoding="utf-8") as file:
                words = re.findall(r'"([^"]*)"', file.read())
            kept = []
            while words:
                word = words.pop(0)
                if word == "-D" and words:
                    words.pop(0)
                else:
                    kept.append(word)
            return ["-o", " ".join(f"'{word}'" for word in kept)] if kept else []
        return []

    def keep_options(self, place: str) -> None:
        """What the server was started with last holds for another directory as well."""
        there = os.path.join(self.data, "postmaster.opts")
        if os.path.exists(there) and not os.path.exists(os.path.join(place, "postmaster.opts")):
            shutil.copy2(there, place)
            os.chown(os.path.join(place, "postmaster.opts"), self.owner.pw_uid, self.owner.pw_gid)

    # -- what it is

    def has_signal(self) -> bool:
        """Whether whoever starts a server on the directory starts a standby."""
        return os.path.exists(os.path.join(self.data, SIGNAL))

    def is_standby(self) -> bool:
        return self.value("SELECT pg_is_in_recovery()") == "t"

    def identity(self) -> str:
        """The number that all copies of one cluster share."""
        return self.value("SELECT system_identifier FROM pg_control_system()")

    def peers_identity(self, conninfo: str) -> str:
        """The same of the peer."""
        statement = "SELECT system_identifier FROM pg_control_system()"
        return self.run("psql", "-X", "-A", "-t", "-d", conninfo, "-c", statement).strip()

    def ended(self) -> dict:
        """What its directory says of a server that does not run (pg_controldata): how far it had come.

        Whoever has passed `position` has all of it. A server that did not end in order has no position.
        """
        said = self.run("pg_controldata", "-D", self.data)
        rows = (line.partition(":") for line in said.splitlines())
        words = {name.strip(): value.strip() for name, _, value in rows}
        state = words["Database cluster state"]
        ends = [bytes_of(words["Latest checkpoint location"]) + 1,
                bytes_of(words["Minimum recovery ending location"])]  # fmt: skip
        is_clean = state in ("shut down", "shut down in recovery")
        return {
            "role": "stopped", "state": state, "is_clean": is_clean, "is_primary": not self.has_signal(),
            "position": max(ends) if is_clean else None,
            "timeline": int(words["Latest checkpoint's TimeLineID"]),
            "system": words["Database system identifier"],
        }  # fmt: skip

    def told(self) -> dict:
        """What it is and how far it has come; times in seconds, places in the log in bytes."""
        is_standby = self.is_standby()
        where = "pg_last_wal_replay_lsn()" if is_standby else "pg_current_wal_lsn()"
        place, timeline, system = self.ask(
            f"SELECT pg_wal_lsn_diff({where}, '0/0')::bigint, timeline_id, "
            "(SELECT system_identifier FROM pg_control_system()) FROM pg_control_checkpoint()"
        )[0]
        told = {"role": "standby" if is_standby else "primary", "position": int(place or 0),
                "timeline": int(timeline), "system": system}  # fmt: skip
        return {**told, **(self._follows(told["timeline"]) if is_standby else self._leads())}

    def _follows(self, timeline: int) -> dict:
        rows = self.ask("SELECT status, received_tli FROM pg_stat_wal_receiver")
        received, late_s = self.ask(
            "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::bigint, "
            "CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
            "ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"
        )[0]
        return {
            "is_streaming": bool(rows) and rows[0][0] == "streaming",
            "timeline": int(rows[0][1] or timeline) if rows else timeline,  # its own is that of a checkpoint
            "received": int(received or 0),
            "late_s": float(late_s) if late_s else None,
        }

    def _leads(self) -> dict:
        rows = self.ask(
            "SELECT client_addr, state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint, "
            f"extract(epoch FROM replay_lag) FROM pg_stat_replication WHERE application_name = '{SLOT}'"
        )
        standbys = [
            {"address": address, "state": state, "behind": int(behind or 0),
             "late_s": float(late_s) if late_s else 0.0}
            for address, state, behind, late_s in rows
        ]  # fmt: skip
        return {"standbys": standbys}


def bytes_of(place: str) -> int:
    """A place in the log as a number."""
    high, low = place.split("/")
    return (int(high, 16) << 32) + int(low, 16)


# -- settings and rights


def settle(cluster: Cluster, wanted: dict[str, str]) -> tuple[bool, bool]:
    """Put the settings on the server: whether one changed, and whether one waits for a restart."""
    changed = False
    for name, value in wanted.items():
        if cluster.value(f"SELECT setting FROM pg_file_settings WHERE name = '{name}' AND error IS NULL "
                         "ORDER BY seqno DESC LIMIT 1") != value:  # fmt: skip
            cluster.ask(f"ALTER SYSTEM SET {name} = '{value}'")
            changed = True
    if changed:
        cluster.ask("SELECT pg_reload_conf()")
        time.sleep(PAUSE_S)
    waits = cluster.value("SELECT count(*) FROM pg_settings WHERE pending_restart") != "0"
    return changed, waits


def admit(cluster: Cluster, peer: str) -> bool:
    """Let the role of the peer in, by password; whether that was new."""
    place = cluster.value("SHOW hba_file")
    width = "128" if ":" in peer else "32"
    lines = [f"host {what} {ROLE} {peer}/{width} scram-sha-256" for what in ("replication", "postgres")]
    with open(place, encoding="utf-8") as file:
        there = file.read()
    missing = [line for line in lines if line not in there.splitlines()]
    if not missing:
        return False
    fresh = place + ".cloudctl-new"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write("\n".join(missing) + "\n" + there)  # the first line that fits decides
    shutil.copystat(place, fresh)
    os.chown(fresh, os.stat(place).st_uid, os.stat(place).st_gid)
    os.replace(fresh, place)
    cluster.ask("SELECT pg_reload_conf()")
    return True


def enable(cluster: Cluster, password: str) -> bool:
    """The role that replicates, what pg_rewind reads, and the slot; whether any of it was new."""
    is_new = cluster.value(f"SELECT count(*) FROM pg_roles WHERE rolname = '{ROLE}'") == "0"
    if is_new:
        cluster.ask(f"CREATE ROLE {ROLE} LOGIN REPLICATION")
    if is_new or not knows(cluster, password):
        verifier = scram(password)
        cluster.ask(f"ALTER ROLE {ROLE} PASSWORD '{verifier}'")
        is_new = True
    for function in READS:
        cluster.ask(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {ROLE}")
    if cluster.value(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{SLOT}'") == "0":
        cluster.ask(f"SELECT pg_create_physical_replication_slot('{SLOT}', true)")
        is_new = True
    return is_new


def knows(cluster: Cluster, password: str) -> bool:
    """Whether the role has this very password: its verifier is computed again with the salt that is there."""
    there = cluster.value(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{ROLE}'")
    found = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$[^:]+:.+", there)
    if not found:
        return False
    return scram(password, base64.b64decode(found[2]), int(found[1])) == there


def scram(password: str, salt: bytes | None = None, rounds: int = 4096) -> str:
    """What PostgreSQL keeps of a password (RFC 5802, RFC 7677): the password itself is in no statement."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.new(salted, b"Client Key", "sha256").digest()
    server = hmac.new(salted, b"Server Key", "sha256").digest()
    stored = hashlib.sha256(client).digest()
    told = [base64.b64encode(one).decode() for one in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{told[0]}${told[1]}:{told[2]}"


def source(cluster: Cluster, params: dict) -> str:
    """How the peer is reached; the password is in a file that only the owner of the data reads."""
    place = os.path.join(os.path.dirname(cluster.data), ".cloudctl-replication")
    words = (params["peer"], str(params["peer_port"]), "*", ROLE, params["password"])
    line = ":".join(re.sub(r"([:\\])", r"\\\1", word) for word in words) + "\n"
    there = ""
    with contextlib.suppress(OSError), open(place, encoding="utf-8") as file:
        there = file.read()
    if there != line:
        descriptor = os.open(place + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(line)
        os.chown(place + ".new", cluster.owner.pw_uid, cluster.owner.pw_gid)
        os.replace(place + ".new", place)
    return (
        f"host={params['peer']} port={params['peer_port']} user={ROLE} dbname=postgres passfile={place} "
        f"application_name={SLOT} sslmode={params['sslmode']} connect_timeout=10 "
        "keepalives_idle=5 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=15000"
    )


def follow(place: str, owner, conninfo: str, listen: str = "") -> None:
    """Whatever starts on the directory from now on is a standby of the peer, and never writes.

    A copy has the settings of the server it was copied from, whose address is not this one's: `listen`.
    """
    auto = os.path.join(place, AUTO)
    own = {"primary_conninfo": conninfo, "primary_slot_name": SLOT}
    own |= {"listen_addresses": listen} if listen else {}
    with open(auto, encoding="utf-8") as file:
        kept = [line for line in file if line.split("=")[0].strip() not in own]
    with open(auto + ".new", "w", encoding="utf-8") as file:
        file.writelines([*kept, *(f"{name} = '{value}'\n" for name, value in own.items())])
    os.chmod(auto + ".new", 0o600)
    os.chown(auto + ".new", owner.pw_uid, owner.pw_gid)
    with open(os.path.join(place, SIGNAL), "a", encoding="ascii") as file:
        os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)
    os.replace(auto + ".new", auto)
