#!/usr/bin/python3
"""Ansible module: holds the data file systems of a server still, with a timer that lets go by itself.

The timer is a process of its own. It is started, and seen to run, before anything is frozen; it thaws when
the time is over, when it is told to end, and when the one who froze died half way. The root file system is
never frozen: without it nobody could log in to thaw.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import glob
import json
import os
import pwd
import re
import signal
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: hold
short_description: Freeze and thaw the data file systems of a server, with a dead man's timer
options:
  state: {type: str, required: true, choices: [held, released]}
  point: {type: str, required: true, description: "For what it is held; another point cannot release it."}
  hold_s: {type: float, default: 60, description: "After so many seconds the timer lets go."}
  mounts: {type: list, elements: str, description: "Mount points; left out: all on disks of their own."}
  database: {type: bool, default: true, description: "Let PostgreSQL write a checkpoint first."}
"""

FREEZE, THAW = 0xC0045877, 0xC0045878
PLACE = "/run/cloudctl"  # on tmpfs: gone after a restart, as the freeze is
TICK_S = 0.1
CHECKPOINT_S = 60
FILE_SYSTEMS = frozenset({"ext3", "ext4", "xfs", "btrfs", "f2fs"})
SYSTEM = re.compile(r"^/($|(boot|usr|etc|root|home|tmp|var|var/log|var/tmp|opt)(/efi)?$)")


class Failure(Exception):
    """Why nothing is held."""


def ioctl(descriptor: int, what: int) -> None:
    """The kernel's FIFREEZE and FITHAW."""
    fcntl.ioctl(descriptor, what, 0)


def now_s() -> float:
    """Seconds since the server started, pauses of the whole machine included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def data_mounts(mountinfo: str) -> list[str]:
    """Where file systems are mounted that are neither the root's nor the system's; each disk once."""
    rows = [line.split(" ") for line in mountinfo.splitlines()]
    found = [(row[2], row[4].replace("\\040", " "), row[row.index("-") + 1]) for row in rows]
    roots = {device for device, path, _ in found if path == "/"}
    mounts: dict[str, str] = {}
    for device, path, kind in found:
        if device not in roots and kind in FILE_SYSTEMS and not SYSTEM.match(path):
            mounts.setdefault(device, path)
    return sorted(mounts.values())


# -- the state, in a file that outlives every process but not the server


@contextlib.contextmanager
def locked():
    """One at a time; the kernel lets go of the lock of a process that died."""
    os.makedirs(PLACE, mode=0o700, exist_ok=True)
    with open(os.path.join(PLACE, "hold.lock"), "w", encoding="utf-8") as file:
        deadline = now_s() + 30
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if now_s() > deadline:
                    raise Failure("another freeze or thaw is under way") from error
                time.sleep(TICK_S)
        yield


def read() -> dict:
    try:
        with open(os.path.join(PLACE, "hold.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write(state: dict) -> None:
    new = os.path.join(PLACE, "hold.json.new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(new, os.path.join(PLACE, "hold.json"))


def is_alive(pid: int, started: str) -> bool:
    """Whether it is still the same process."""
    return pid > 0 and birth(pid) == started != ""


def birth(pid: int) -> str:
    """When the process began, in ticks since the start; empty when there is none, or only its corpse."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


# -- the timer


def start_timer(mounts: list[str], state: dict) -> dict:
    """Fork the process that thaws at the deadline; the state as it wrote it, once it is armed."""
    ready, armed = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ready)
            os.setsid()
            if os.fork() == 0:
                keep_time(mounts, state, armed)
        finally:
            os._exit(0)
    os.close(armed)
    os.waitpid(child, 0)
    with os.fdopen(ready, "rb") as pipe:
        said = pipe.read()  # ends when the timer is armed, or dead
    told = read()
    if said != b"armed" or told.get("timer", 0) <= 0 or not is_alive(told["timer"], told["timer_birth"]):
        raise Failure("the timer that would thaw could not be started; nothing was frozen")
    return told


def keep_time(mounts: list[str], state: dict, armed: int) -> None:
    """The life of the timer: nothing it needs lies on what is frozen."""
    os.chdir("/")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    signal.signal(signal.SIGINT, lambda number, _frame: ended.append(number))
    descriptors = [os.open(mount, os.O_RDONLY | os.O_DIRECTORY) for mount in mounts]
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    kept = {0, 1, 2, armed, *descriptors}
    for open_one in [int(name) for name in os.listdir("/proc/self/fd")]:
        if open_one not in kept:
            with contextlib.suppress(OSError):
                os.close(open_one)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mlockall(3)  # what is in memory stays there
    write({**state, "timer": os.getpid(), "timer_birth": birth(os.getpid())})
    os.write(armed, b"armed")
    os.close(armed)
    while now_s() < state["until"] and not ended:
        time.sleep(TICK_S)
    lock = os.open(os.path.join(PLACE, "hold.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    while True:  # who freezes may be in the middle of it: thaw until nobody can freeze any more
        thaw(descriptors)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(TICK_S)
            continue
        thaw(descriptors)
        if read().get("timer") == os.getpid():
            write({**read(), "state": "expired"})
        return


def thaw(descriptors: list[int]) -> int:
    """Thaw what is frozen; how many were."""
    count = 0
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # EINVAL: it is not frozen
            ioctl(descriptor, THAW)
            count += 1
    return count


# -- hold and release


def is_held(state: dict) -> bool:
    """Whether the hold is on, and somebody will end it."""
    return (
        state.get("state") == "held"
        and now_s() < state["until"]
        and is_alive(state["timer"], state["timer_birth"])
    )


def hold(point: str, hold_s: float, mounts: list[str], has_database: bool) -> dict:
    """Freeze every mount, or none."""
    with locked():
        there = read()
        if is_held(there):
            if there["point"] != point:
                raise Failure(f"is held for {there['point']}")
            return {"changed": False, "mounts": there["mounts"], "until_s": there["until"] - now_s()}
        let_go(there)  # of one who died half way
        if has_database:
            checkpoint()
        os.sync()
        state = {"point": point, "mounts": mounts, "state": "arming", "until": now_s() + hold_s}
        state = start_timer(mounts, state)
        descriptors: list[int] = []
        try:
            for mount in mounts:
                descriptors.append(os.open(mount, os.O_RDONLY | os.O_DIRECTORY))
                try:
                    ioctl(descriptors[-1], FREEZE)
                except OSError as error:
                    descriptors.pop()
                    why = "is frozen by somebody else" if error.errno == errno.EBUSY else error.strerror
                    raise Failure(f"{mount}: {why}") from error
            if now_s() >= state["until"] or not is_alive(state["timer"], state["timer_birth"]):
                raise Failure(f"could not be frozen within {hold_s:g} s")
            write({**state, "state": "held"})
        except BaseException:
            thaw(descriptors)
            stop_timer(state)
            write({**state, "state": "released", "was_held": False})
            raise
        return {"changed": True, "mounts": mounts, "until_s": state["until"] - now_s()}


def release(point: str) -> dict:
    """Thaw; whether it had been held for the point until this call, or an earlier one that released it."""
    with locked():
        state = read()
        if state.get("point") != point or state["state"] in ("released", "expired"):
            is_ours = state.get("point") == point
            return {"changed": False, "was_held": bool(is_ours and state.get("was_held"))}
        was_held = is_held(state)
        was_held = let_go(state) == len(state["mounts"]) and was_held
        write({**state, "state": "released", "was_held": was_held})
        return {"changed": True, "was_held": was_held}


def let_go(state: dict) -> int:
    """Thaw what the state names, then end its timer; how many were frozen."""
    if state.get("state") not in ("arming", "held"):
        return 0
    descriptors = [os.open(mount, os.O_RDONLY | os.O_DIRECTORY) for mount in state["mounts"]]
    count = thaw(descriptors)
    stop_timer(state)
    for descriptor in descriptors:
        os.close(descriptor)
    return count


def stop_timer(state: dict) -> None:
    """End the timer; it has nothing left to thaw."""
    if is_alive(state.get("timer", 0), state.get("timer_birth", "")):
        os.kill(state["timer"], signal.SIGKILL)


def checkpoint() -> None:
    """Let PostgreSQL, where there is one, put down what it has: what is restored starts sooner."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))
    if not programs or not glob.glob("/run/postgresql/.s.PGSQL.*[0-9]"):
        return
    user = pwd.getpwnam("postgres")
    command = [programs[-1], "-X", "-q", "-h", "/run/postgresql", "-c", "CHECKPOINT", "postgres"]
    try:
        done = subprocess.run(
            command, user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=CHECKPOINT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Failure(f"PostgreSQL wrote no checkpoint within {CHECKPOINT_S} s") from error
    if done.returncode != 0:
        raise Failure(f"PostgreSQL wrote no checkpoint: {done.stderr.decode(errors='replace').strip()}")


def main() -> None:
    """What Ansible calls."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "required": True, "choices": ["held", "released"]},
            "point": {"type": "str", "required": True},
            "hold_s": {"type": "float", "default": 60.0},
            "mounts": {"type": "list", "elements": "str"},
            "database": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    wanted, point = module.params["state"], module.params["point"]
    mounts = module.params["mounts"]
    if mounts is None:
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = data_mounts(file.read())
    if module.check_mode:
        held = is_held(read()) and read()["point"] == point
        module.exit_json(changed=held != (wanted == "held"), mounts=mounts)
    if wanted == "held" and not mounts:
        module.fail_json(msg="no file system is mounted on a disk of its own; nothing can be held")
    try:
        told = hold(point, module.params["hold_s"], mounts, module.params["database"]) if wanted == "held" \
            else release(point)  # fmt: skip
    except Failure as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or ''}: {error.strerror}")
    module.exit_json(**told)


if __name__ == "__main__":
    main()
