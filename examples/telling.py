"""What the chapters of the story are told with: commands as people type them, and what they answer."""

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

from lab import packages

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
    "judy": ("韦值班", None, "dr_officer", "installation:*"),
    "ivan": ("审计员", None, "auditor", "installation:*"),
}
PRINTING = ("fonts-noto-cjk", "libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")
COLOUR = sys.stdout.isatty()


class StoryError(Exception):
    """A command of the story did not end as it should."""


def say(text: str, code: str = "1") -> None:
    print(f"\033[{code}m{text}\033[0m" if COLOUR else text, flush=True)


def chapter(number: int, title: str, chinese: str) -> None:
    print()
    say(f"{number}. {title}  {chinese}", "1;36")


def able_to_print() -> None:
    """Installs what a PDF with Chinese text needs of Debian, where it is missing."""
    if names := packages.missing(PRINTING):
        say("# what printing needs: " + " ".join(names), "33")
        packages.install(names, HOME / "story" / "packages.log")


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
    return json.loads(run(*command, "-f", "json", user=user, show=False))


def token_file(user: str) -> Path:
    return HOME / "story" / f"{user}.token"


class Server:
    """`cloudctl serve` in the background, unless somebody serves already; ended when the story ends."""

    def __init__(self, listen: str) -> None:
        self._listen = listen
        self._log = HOME / "story" / f"serve-{listen.rpartition(':')[2]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if answering():
            return
        say("$ cloudctl serve &", "33")
        with self._log.open("ab") as log:
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
