"""The story of a backup, on the lab with real guests.

A system is protected, its cloud and our database are lost, and it answers again at another site, out of that
site's vault alone.

    CLOUDCTL_HOME=... python examples/backup_story.py [--keep-province]

Begins on an installation without points, and ends with the province destroyed unless told otherwise: the
next `cloudctl lab up` makes it anew.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import telling
from telling import Server, StoryError, approve, ask, chapter, hire, key, run, say, sign_in, submit

SYSTEM = "gx-finance-budget"
VAULT = "city-1"
FIRST = ("wang", "alice", "bob", "carol", "ivan")
FULL_NOTE = "before the full point"
AFTER = ("wang", "carol", "heidi")
_ASK = "import urllib.request as u; print(u.urlopen('http://127.0.0.1{path}'{body}).read().decode())"
_SSH = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5", "LogLevel=ERROR")


def install(server: Server, people: tuple[str, ...]) -> None:
    """An installation with its keys, people and the topology; the lab's own clouds and stores."""
    lab = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).parent
    telling.HOME.joinpath("story").mkdir(mode=0o700, parents=True, exist_ok=True)
    administrators = ("--admin", "admin1=系统管理员甲", "--admin", "admin2=系统管理员乙")
    shown = run("cloudctl", "init", *administrators, "-f", "json", show=False)
    for name in ("clouds.yaml", "stores.yaml"):
        link = telling.HOME / name
        if not link.exists():
            link.symlink_to(lab / name)
    server.start()
    for administrator in json.loads(shown)["administrators"]:
        sign_in(administrator["id"], administrator["password"])
    hire("wang")
    run("cloudctl", "topology", "apply", "examples/lab.yaml", "--yes", "--summary", user="wang")
    for person in people:
        hire(person)


def build(system: str = SYSTEM, *more: str) -> tuple[str, str]:
    """A machine with a boot volume and two data volumes; its name and address. `more` is asked too."""
    return built(ask_for(system, *more))


def ask_for(system: str, *more: str, administrator: str = "carol") -> int:
    """The request of that machine, with every yes it needs; its number."""
    form = (
        "--system", system, "--zone", "public", "--flavor", "gov.micro", "--image", "debian-12",
        "--boot-size", "2GiB", "--count", "1", "--data-volume", "1GiB", "--data-volume", "1GiB",
        "--ssh-key", key("alice"), "--approval-number", "桂发改投资〔2026〕88号", "--payer", "财政厅",
        "--reason", "系统上云", *more, "--idempotency-key", "-".join(("story", system, *more)),
    )  # fmt: skip
    number = submit("cloudctl", "request", "create", "vm", *form, user="alice")
    approve(number, ("bob", "同意"), (administrator, "同意"))
    return number


def built(number: int) -> tuple[str, str]:
    """What came of a request, when it is done: the server's name and address."""
    run("cloudctl", "request", "watch", str(number), user="alice")
    shown = ask("cloudctl", "request", "show", str(number), user="alice")
    servers = [one for one in shown["resources"] if one["kind"] == "server"]
    return str(servers[0]["name"]), str(servers[0]["addresses"]["ipv4"][0])


def inside(address: str, path: str, note: str | None = None) -> object:
    """What the application in the guest answers, asked from within, with the key of the request."""
    body = "" if note is None else f",b'{note}'"
    said = on_guest(address, f'python3 -c "{_ASK.format(path=path, body=body)}"')
    say(f"$ ssh debian@{address}  {path}   ->  {said.strip()}", "33")
    return json.loads(said)


def on_guest(address: str, command: str, told: str = "") -> str:
    """What a command in the guest says, which may read what it is told; asked for until it succeeds."""
    private = Path(os.environ["STORY_KEY"])
    argv = ["ssh", "-i", str(private), *(f"-o{one}" for one in _SSH), f"debian@{address}", command]
    until = time.monotonic() + 300
    while True:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, input=told)
        if done.returncode == 0:
            return done.stdout
        if time.monotonic() > until:
            raise StoryError(f"the guest at {address} does not answer:\n{done.stderr[-500:]}")
        time.sleep(2)


def protect(system: str = SYSTEM, tier: str = "T2") -> None:
    """The vault with its escrow key, and a policy with what the application is to answer."""
    escrow = telling.HOME / "keys" / "escrow" / f"{VAULT}.json"
    escrow.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not escrow.exists():
        run("cloudctl", "vault", "key", VAULT, str(escrow))
    run("cloudctl", "vault", "check", VAULT, "--escrow-key", str(escrow), "--limit", "600GiB", user="wang")
    member = ("--system", f"{system}@province")
    checks = ("--check", f"http://*:80/notes 200 {FULL_NOTE}", "--check", "tcp://*:22")
    policy = (
        "--name",
        f"关键数据 {system}",
        "--tier",
        tier,
        "--vault",
        VAULT,
        "--every",
        "1d",
        *member,
        *checks,
    )
    run("cloudctl", "backup", "policy", "apply", *policy, user="wang")


def points() -> list[dict[str, object]]:
    run("cloudctl", "point", "list", user="wang")
    return list(ask("cloudctl", "point", "list", user="wang"))  # type: ignore[arg-type]


def newest() -> str:
    """The id of the newest point."""
    rows = ask("cloudctl", "point", "list", user="wang")
    return str(max(rows, key=lambda row: str(row["taken_at"]))["id"])  # type: ignore[call-overload]


def take(system: str = SYSTEM) -> None:
    """A point of the system as it is now; one that its policy has begun by itself is waited for."""
    until, is_first = time.monotonic() + 900, True
    while True:
        try:
            run("cloudctl", "backup", "run", system, "--wait", user="wang", show=is_first)
            return
        except StoryError as error:
            if "being made already" not in str(error) or time.monotonic() > until:
                raise
        is_first = False
        time.sleep(10)


def proofs_of(point: str) -> list[dict[str, object]]:
    """The newest first."""
    shown = ask("cloudctl", "point", "show", point, user="wang")
    return list(shown["proofs"])  # type: ignore[call-overload]


def await_proof(point: str) -> None:
    """The policy's own proof of a point, to L2, is over: beside it everything takes twice as long."""
    until = time.monotonic() + 900
    while not (proofs := proofs_of(point)) or any(one["state"] == "running" for one in proofs):
        if time.monotonic() > until:
            raise StoryError(f"the policy has not proved {point}")
        time.sleep(2)


def prove() -> None:
    """The newest point is started at the city, cut off from everything, and its application answers (L4)."""
    point = newest()
    await_proof(point)
    run("cloudctl", "point", "test", point, "--level", "L4", "--wait", user="wang")
    proof: Any = proofs_of(point)[0]
    running = proof["details"]["running"]
    for check in running["checks"]:
        say(f"{check['name']}  ->  {check['saw']}", "33")
    tried = ", ".join(running["canary"]["tried"])
    say(f"Nothing of this answered, as it must be: {tried}", "33")
    if proof["reached"] != "L4":
        raise StoryError(f"the point is proved to {proof['reached']} only")


def lose() -> None:
    """The province's cloud and everything that cloudctl knew."""
    run("cloudctl", "lab", "site", "destroy", "province", "--yes")
    say("$ rm cloudctl.db  (and keys, audit heads, configuration: the whole home)", "33")


def city_project(system: str = SYSTEM) -> str:
    """A project of the department at the city's cloud."""
    made = run(
        "openstack", "--os-cloud", VAULT, "project", "create", f"{system}-rescue", "--or-show", "-f", "value",
        "-c", "id", show=False,
    ).strip()  # fmt: skip
    quota = ("--volumes", "20", "--gigabytes", "100", "--instances", "5", "--cores", "10", "--ram", "8192")
    run("openstack", "--os-cloud", VAULT, "quota", "set", *quota, "--ports", "20", made, show=False)
    run("cloudctl", "project", "adopt", "--site", VAULT, "--system", system, made, user="heidi")
    return made


def rescue(project: str, point: str) -> str:
    """Restore at the city, start a machine from what came back; its address."""
    restored = ask("cloudctl", "backup", "restore", point, "--to", VAULT, "--wait", user="wang")
    run("cloudctl", "point", "show", point, user="wang")
    made = restored["made"]  # type: ignore[call-overload]
    volumes = [made[number]["volume"] for number in sorted(made, key=int)]
    plain = ("openstack", "--os-cloud", VAULT)
    me = run(*plain, "token", "issue", "-f", "value", "-c", "user_id", show=False).strip()
    run(*plain, "role", "add", "--user", me, "--project", project, "member", show=False)
    public = os.environ["STORY_KEY"] + ".pub"
    run(*plain, "keypair", "create", "--public-key", public, project, "-f", "value", "-c", "name", show=False)
    groups = run(
        *plain, "security", "group", "list", "--project", project, "-f", "value", "-c", "ID", show=False
    )
    way_in = ("--protocol", "tcp", "--dst-port", "22", "--remote-ip", "10.0.0.0/8", groups.split()[0])
    run(*plain, "security", "group", "rule", "create", *way_in, show=False)
    data = [part for one in volumes[1:] for part in ("--block-device", _device(one))]
    server = (
        "--flavor", "gov.micro", "--network", "zone-public", "--volume", volumes[0], *data,
        "--key-name", project, "--wait", "-f", "value", "-c", "addresses",
    )  # fmt: skip
    shown = run(*plain, "--os-project-id", project, "server", "create", *server, "rescued")
    return next(part for part in shown.replace("'", " ").replace(",", " ").split() if part.startswith("10."))


def _device(volume: str) -> str:
    return f"uuid={volume},source_type=volume,destination_type=volume,boot_index=-1"


def tell(keep_province: bool, servers: list[Server]) -> None:
    """All chapters; StoryError where one does not end as it should."""
    chapter(1, "A system with real guests and a database", "一个真实运行的系统")
    run("cloudctl", "lab", "up", "--guests")
    servers.append(Server("127.0.0.1:8090"))
    install(servers[-1], FIRST)
    os.environ["STORY_KEY"] = key("alice").removesuffix(".pub")
    _name, address = build()
    inside(address, "/notes", FULL_NOTE)
    chapter(2, "Key data gets an offsite copy that is proved", "关键数据异地灾备")
    protect()
    take()
    inside(address, "/notes", "before the increment")
    take()
    before = inside(address, "/notes")
    points()
    prove()
    rows = points()
    run("cloudctl", "backup", "status", user="wang")
    chapter(3, "The cloud and the database are lost", "省级云与数据库全部丢失")
    point = newest()
    escrow = (telling.HOME / "keys" / "escrow" / f"{VAULT}.json").read_bytes()
    servers[-1].stop()
    if not keep_province:
        lose()
    chapter(4, "From the city's vault alone", "仅凭地市保管库恢复")
    begin_again(escrow)
    servers.append(Server("127.0.0.1:8091"))
    install(servers[-1], AFTER)
    run("cloudctl", "backup", "rebuild", "--from", "s3://vault", user="wang")
    if not {row["id"] for row in points()} >= {row["id"] for row in rows}:
        raise StoryError("a point is missing from what was rebuilt")
    again = rescue(city_project(), point)
    after = inside(again, "/notes")
    if after != before:
        raise StoryError(f"other notes came back: {after}, not {before}")


def begin_again(escrow: bytes) -> None:
    """A home with nothing in it but the escrow key, which was kept elsewhere."""
    telling.HOME /= "after"
    kept = telling.HOME / "keys" / "escrow" / f"{VAULT}.json"
    kept.parent.mkdir(mode=0o700, parents=True)
    kept.touch(mode=0o600)
    kept.write_bytes(escrow)


def main() -> int:
    """Tell the story; 0 when the application answers at the city with every note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep-province", action="store_true", help="lose the database only")
    arguments = parser.parse_args()
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(telling.HOME / "lab" / "clouds.yaml")
    os.chdir(telling.ROOT)
    began = time.monotonic()
    servers: list[Server] = []
    try:
        tell(arguments.keep_province, servers)
        say(f"Every note is back. The story took {time.monotonic() - began:.0f} s.", "1;32")
    except StoryError as error:
        say(f"The story broke off: {error}", "1;31")
        return 1
    finally:
        for server in servers:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
