"""What the last chapter is told with: the cloudctl of the city, which has nothing of the province's."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import telling
import yaml
from telling import Server, StoryError, run, say

CITY = "city-1"
_MOST_SILENCE_S = 300


def remember_elsewhere(home: Path) -> None:
    """What was acknowledged is copied to a third place, of which the home of a cloudctl is told here."""
    third = telling.HOME / "story" / "third"
    third.mkdir(exist_ok=True)
    settings = home / "cloudctl.yaml"
    line = f"sentinel_copies: {third}\n"
    if line not in settings.read_text():
        settings.write_text(settings.read_text() + line)


def stand_by() -> Path:
    """A home for the city's cloudctl with the city's own credentials, told what it needs; the home."""
    home, key = telling.HOME / CITY, telling.HOME / "story" / "standby.json"
    run("cloudctl", "dr", "export", "key", CITY, str(key))
    run("cloudctl", "dr", "export", "now", user="wang")
    home.mkdir(mode=0o700)
    _own(home, "stores.yaml", "stores")
    people = telling.HOME / "story"
    with at(home):
        run("cloudctl", "dr", "import", "--from", "s3://vault", "--key", str(key))
    key.unlink()
    _own(home, "clouds.yaml", "clouds")
    _own(home, "storage.yaml", "storage")
    (home / "witness.yaml").symlink_to(_lab() / "witness.yaml")
    (home / "story").symlink_to(people)  # they have their tokens and keys with them
    remember_elsewhere(home)
    return home


@contextmanager
def at(home: Path) -> Iterator[None]:
    """Commands are typed on the machine that has this home."""
    before, telling.HOME = telling.HOME, home
    try:
        yield
    finally:
        telling.HOME = before


def take_over() -> None:
    """Two people let the city work alone; first they are refused, because the province was heard just now."""
    lost = ("cloudctl", "dr", "takeover", "--reason", "省级机房失联，值班电话无人应答")
    until, told = time.monotonic() + _MOST_SILENCE_S, ""
    while True:
        try:
            run(*lost, user="wang", show=False)
            break
        except StoryError as error:
            if time.monotonic() > until:
                raise
            if not told:
                told = str(error).splitlines()[-1]
                say(f"wang $ cloudctl dr takeover ...   ->  {told}", "33")
            time.sleep(5)
    run(*lost, user="heidi")
    run("cloudctl", "dr", "export", "status", user="judy", expect=5)  # the home is silent


def merge() -> None:
    """The province is back: what the city did alone is shown, and then taken."""
    run("cloudctl", "dr", "merge", "--from", CITY, user="wang")
    run("cloudctl", "dr", "merge", "--from", CITY, "--yes", user="wang")
    run("cloudctl", "quota", "repair", user="wang")
    run("cloudctl", "dr", "failover", "list", user="judy")
    run("cloudctl", "dr", "export", "now", user="wang")


def stand_down() -> None:
    """The city's cloudctl only looks again, once it has heard the province's word of the merge."""
    end = ("cloudctl", "dr", "takeover", "--end", "--reason", "省级已恢复并合并")
    say(f"heidi $ {' '.join(end)}", "33")
    until = time.monotonic() + _MOST_SILENCE_S
    while True:
        try:
            print(run(*end, user="heidi", show=False))
            return
        except StoryError:
            if time.monotonic() > until:
                raise
            time.sleep(5)


def server(home: Path) -> Server:
    """Its cloudctl, serving."""
    with at(home):
        made = Server("127.0.0.1:8091")
        made.start()
    return made


def _lab() -> Path:
    return Path(os.environ["OS_CLIENT_CONFIG_FILE"]).parent


def _own(home: Path, name: str, word: str) -> None:
    """The city's part of a file of the lab, and nothing of the province's."""
    told = yaml.safe_load((_lab() / name).read_text())
    file = home / name
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump({word: {CITY: told[word][CITY]}}))
