"""The story of cloudctl, told with the commands a person would type: from nothing to delivered machines.

`make run` and `make demo` run it. Everything below goes through the `cloudctl` and `openstack` commands.
A second run finds what the first made and changes nothing: each request carries its own idempotency key.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

HOME = Path(os.environ["CLOUDCTL_HOME"]).absolute()
BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]
PEOPLE = {  # login, what they are called, department, role, where they hold it
    "wang": ("王省管", None, "province_admin", "installation:*"),
    "alice": ("李经办", "gx-finance", "requester", "department:gx-finance"),
    "bob": ("赵处长", "gx-finance", "department_approver", "department:gx-finance"),
    "carol": ("陈云管", None, "cloud_admin", "site:province"),
    "erin": ("黄经办", "nn-qingxiu-edu", "requester", "department:nn-qingxiu-edu"),
    "frank": ("周初审", None, "division_reviewer", "division:450103"),
    "grace": ("吴局长", "nn-qingxiu-edu", "department_approver", "department:nn-qingxiu-edu"),
    "heidi": ("林云管", None, "cloud_admin", "site:city-1"),
    "ivan": ("审计员", None, "auditor", "installation:*"),
}
COLOUR = sys.stdout.isatty()


class StoryError(Exception):
    """A command of the story did not end as it should."""


def say(text: str, code: str = "1") -> None:
    print(f"\033[{code}m{text}\033[0m" if COLOUR else text, flush=True)


def chapter(number: int, title: str, chinese: str) -> None:
    print()
    say(f"{number}. {title}  {chinese}", "1;36")


def run(
    *command: str, user: str | None = None, expect: int = 0, show: bool = True, text: str | None = None
) -> str:
    """Run a command as a person of the story; its standard output. Shows both unless told not to."""
    env = {**os.environ, "CLOUDCTL_HOME": str(HOME), "PATH": f"{BIN}:{os.environ['PATH']}"}
    if user:
        env["CLOUDCTL_TOKEN"] = token_file(user).read_text().strip()
    if show:
        who = f"{user} $ " if user else "$ "
        say(who + shlex.join(command), "33")
    sys.stdout.flush()
    live = show and command[0] == "cloudctl" and command[1:3] in (("lab", "up"), ("request", "watch"))
    done = subprocess.run(
        command, env=env, input=text, text=True, check=False,
        stdout=None if live else subprocess.PIPE, stderr=None if live else subprocess.PIPE,
    )  # fmt: skip
    out, err = done.stdout or "", done.stderr or ""
    if show and not live:
        print((out + err).rstrip(), flush=True)
    if done.returncode != expect:
        raise StoryError(f"{shlex.join(command)} ended with {done.returncode}, not {expect}\n{out}{err}")
    return out + err if expect else out


def ask(*command: str, user: str) -> dict[str, object] | list[dict[str, object]]:
    """The same, quietly, as JSON."""
    return json.loads(run(*command, "-f", "json", user=user, show=False))  # type: ignore[no-any-return]


def token_file(user: str) -> Path:
    return HOME / "story" / f"{user}.token"


# -- the chapters


def lab_up() -> None:
    chapter(1, "Two real OpenStack clouds on this machine", "本机上的两朵 OpenStack 云")
    run("cloudctl", "lab", "up")
    run("cloudctl", "lab", "status", "-c", "site", "-c", "service", "-c", "state", "-c", "memory_mib")


class Server:
    """`cloudctl serve` in the background, unless somebody serves already; ended when the story ends."""

    def __init__(self, listen: str) -> None:
        self._listen = listen
        self._log = HOME / "story" / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if answering():
            return
        say("$ cloudctl serve &", "33")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BIN / "cloudctl", "serve", "--listen", self._listen],
                env={**os.environ, "CLOUDCTL_HOME": str(HOME)},
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + 60
        while not answering():
            if time.monotonic() > until or self._process.poll() is not None:
                raise StoryError(f"cloudctl serve does not answer:\n{self._log.read_text()}")
            time.sleep(0.3)

    def wait(self) -> None:
        if self._process:
            self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(timeout=30)


def installed(server: Server) -> None:
    """Set the installation up and start its server."""
    chapter(2, "An installation, its server and its people", "安装、服务与用户")
    administrators = ("--admin", "admin1=系统管理员甲", "--admin", "admin2=系统管理员乙")
    shown = run("cloudctl", "init", *administrators, "-f", "json", show=False)
    run("cloudctl", "init", *administrators)
    link = HOME / "clouds.yaml"
    if not link.exists():
        link.symlink_to(HOME / "lab" / "clouds.yaml")
    server.start()
    for administrator in json.loads(shown)["administrators"]:
        sign_in(administrator["id"], administrator["password"])


def people() -> None:
    hire("wang")
    chapter(3, "The 1+N as one file", "一份文件描述“1+N”")
    plan = ("cloudctl", "topology", "plan", "examples/lab.yaml")
    columns = ("-c", "action", "-c", "kind", "-c", "id", "-c", "name")
    run(*plan, *columns, user="wang", expect=2 if is_new("alice") else 0)
    say("wang $ cloudctl topology apply examples/lab.yaml --yes", "33")
    run("cloudctl", "topology", "apply", "examples/lab.yaml", "--yes", user="wang", show=False)
    run(*plan, user="wang")
    for site in ("province", "city-1"):
        run(
            "cloudctl",
            "site",
            "check",
            site,
            "--zero-default-quotas",
            "-c",
            "name",
            "-c",
            "state",
            user="wang",
        )
    run("cloudctl", "site", "list", user="wang")
    for user in PEOPLE:
        hire(user)
    run("cloudctl", "user", "list", user="admin1")


def finance() -> int:
    """The finance department's three machines; the number of the request."""
    chapter(4, "财政厅 asks for 3 VMs and 1 TiB", "财政厅申请 3 台云主机和 1 TiB 存储")
    form = (
        "--system", "gx-finance-budget", "--zone", "dedicated", "--flavor", "gov.medium",
        "--image", "debian-12", "--boot-size", "40GiB", "--ssh-key", key("alice"),
        "--approval-number", "桂发改投资〔2026〕88号", "--payer", "财政厅", "--reason", "预算一体化系统上云",
    )  # fmt: skip
    three = ("--count", "3", "--data-total", "1TiB", "--data-volumes-per-vm", "2")
    ask_vm = ("cloudctl", "request", "create", "vm", *form)
    run(*ask_vm, *three, "--dry-run", user="alice")
    say("More than the department may have is refused, with where, how much, and what would fit:")
    run(*ask_vm, "--count", "40", "--data-volume", "100GiB", user="alice", expect=3)
    number = submit(*ask_vm, *three, "--idempotency-key", "story-finance", user="alice")
    approve(number, ("bob", "同意"), ("carol", "资源充足,同意"))
    run("cloudctl", "request", "watch", str(number), user="alice")
    run("cloudctl", "request", "show", str(number), "-f", "json", user="alice")
    show_servers("province")
    return number


def record() -> None:
    chapter(5, "What is held, and what is on record", "配额、资源与审计")
    run("cloudctl", "quota", "show", "--scope", "department:gx-finance", user="alice")
    run(
        "cloudctl",
        "quota",
        "show",
        "--scope",
        "department:gx-finance",
        "-f",
        "json",
        user="alice",
        show=False,
    )
    run("cloudctl", "resource", "list", user="alice")
    run("cloudctl", "audit", "verify", user="ivan")


def county() -> int:
    chapter(6, "A county bureau's request lands on the city's cloud", "县级单位的申请落在市级云")
    number = submit(
        "cloudctl", "request", "create", "vm", "--system", "nn-qingxiu-edu-enroll", "--zone", "public",
        "--flavor", "gov.small", "--image", "debian-12", "--boot-size", "20GiB", "--ssh-key", key("erin"),
        "--approval-number", "青发改〔2026〕12号", "--payer", "青秀区财政局", "--reason", "招生系统试运行",
        "--idempotency-key", "story-county", user="erin",
    )  # fmt: skip
    approve(number, ("frank", "初审通过"), ("grace", "同意"), ("heidi", "同意"))
    run("cloudctl", "request", "watch", str(number), user="erin")
    show_servers("city-1")
    return number


# -- what the chapters use


def answering() -> bool:
    probe = ["cloudctl", "quota", "show"]
    env = {**os.environ, "CLOUDCTL_HOME": str(HOME), "CLOUDCTL_TOKEN": "none"}
    done = subprocess.run([BIN / probe[0], *probe[1:]], env=env, capture_output=True, text=True, check=False)
    return "not_signed_in" in done.stderr


def is_new(user: str) -> bool:
    return not token_file(user).exists()


def sign_in(user: str, first_password: str) -> None:
    """Change the first password for one of one's own, and keep a token."""
    password = f"Story-{os.urandom(6).hex()}-1"
    keep = HOME / "story" / f"{user}.password"
    keep.touch(mode=0o600)
    keep.write_text(password + "\n")
    run(
        "cloudctl",
        "login",
        user,
        "--output",
        str(token_file(user)),
        show=False,
        text=f"{first_password}\n{password}\n",
    )


def hire(user: str) -> None:
    """An account by one administrator, its role by the other."""
    if not is_new(user):
        return
    name, department, role, scope = PEOPLE[user]
    where = ("--department", department) if department else ()
    made = ask("cloudctl", "user", "create", user, "--name", name, *where, user="admin1")
    run("cloudctl", "user", "grant", user, role, scope, user="admin2", show=False)
    sign_in(user, made["first_password"])  # type: ignore[call-overload,arg-type]


def show_servers(cloud: str) -> None:
    """What the plain OpenStack client sees."""
    columns = [part for name in ("Name", "Status", "Networks", "Flavor") for part in ("-c", name)]
    run("openstack", "--os-cloud", cloud, "server", "list", "--all-projects", *columns)


def key(user: str) -> str:
    """The public half of a key of the person's own, made as ssh-keygen would."""
    private, public = HOME / "story" / f"{user}_ed25519", HOME / "story" / f"{user}_ed25519.pub"
    if not public.exists():
        made = Ed25519PrivateKey.generate()
        private.touch(mode=0o600)
        private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        line = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        public.write_text(f"{line} {user}\n")
    return str(public)


def submit(*command: str, user: str) -> int:
    """Send a request; its number. The same key again answers the same request."""
    run(*command, user=user)
    return int(run(*command, "-f", "value", "-c", "id", user=user, show=False))


def approve(number: int, *decisions: tuple[str, str]) -> None:
    """Each stage by its own person; stages that are done already are left alone."""
    for user, opinion in decisions:
        shown = ask("cloudctl", "request", "show", str(number), user="ivan")
        if shown["state"] != "awaiting_approval":  # type: ignore[call-overload]
            return
        run("cloudctl", "inbox", user=user)
        run("cloudctl", "request", "approve", str(number), "--opinion", opinion, user=user)


def main() -> int:
    """Tell the story; with `--serve` keep the portal until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep the portal running at the end")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="where the portal is")
    arguments = parser.parse_args()
    (HOME / "story").mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(HOME / "lab" / "clouds.yaml")
    os.chdir(ROOT)
    began = time.monotonic()
    server = Server(arguments.listen)
    try:
        lab_up()
        installed(server)
        people()
        finance()
        record()
        county()
        print()
        say(f"The story took {time.monotonic() - began:.0f} s, the lab included.", "1;32")
        if arguments.serve:
            password = (HOME / "story" / "alice.password").read_text().strip()
            say(f"The portal: http://{arguments.listen}/   user: alice   password: {password}")
            say("Ctrl-C ends the server; the lab stays up until `cloudctl lab down`.")
            server.wait()
    except StoryError as error:
        say(f"The story broke off: {error}", "1;31")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
