"""`cloudctl init`: home, keys, configuration, database, the first two administrators; again: no change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from cloudctl import bootstrap, secrets
from cloudctl.clock import SystemClock, new_id
from cloudctl.config import FILE_NAME, Settings, load, parse
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault
from dr.database import recovery
from tenants.people import first_administrators

DEFAULT_ADMINISTRATORS = (("sysadmin1", "系统管理员一"), ("sysadmin2", "系统管理员二"))

MADE, THERE, CHANGED, TO_DO, YOURS = "made", "there", "changed", "would be made", "yours to make"


@dataclass(frozen=True)
class Part:
    """One thing an installation is made of, and what `init` did about it."""

    name: str
    state: str
    place: str
    note: str = ""


@dataclass(frozen=True)
class Wish:
    """What the caller of `init` asked for; empty values leave the defaults."""

    database: str = ""
    broker: str = ""
    administrators: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Result:
    """The parts, and the first passwords of the administrators that were made just now."""

    parts: tuple[Part, ...]
    passwords: dict[str, secrets.Hidden]


def initialise(home: Path, wish: Wish, dry_run: bool = False) -> Result:
    """Make what is missing of an installation. Idempotent; a `dry_run` writes nothing.

    BadInput for a wish that cannot be; Conflict when the installation there has another database or broker.
    """
    _check(wish)
    parts: list[Part] = []
    settings = _settings(home, wish)
    if dry_run:
        return Result((*_plan(home, settings),), {})
    parts.append(make_home(home))
    parts.append(write_configuration(settings))
    parts += _keys(settings)
    core = bootstrap.open_core(settings, SystemClock(), bootstrap.SilentBell())
    try:
        is_new = core.store.schema_version()[0] is None
        core.store.migrate()
        parts.append(Part("database", MADE if is_new else THERE, without_password(core.store.url)))
        people, passwords = _administrators(core, wish)
    finally:
        core.store.close()
    return Result((*parts, people, _clouds(settings)), passwords)


def _check(wish: Wish) -> None:
    faults = []
    for name, url in (("database", wish.database), ("broker", wish.broker)):
        if url and "://" not in url:
            faults.append(Fault(name, "bad_url", "'{url}' is not a URL", {"url": url}))
    names = [user_id for user_id, _ in wish.administrators]
    if names and len(set(names)) < 2:
        hint = "give --admin twice, for two different people"
        faults.append(Fault("admin", "too_few", "two administrators are needed", hint=hint))
    if faults:
        raise BadInput("cloudctl cannot be set up like this", faults=faults)


def _settings(home: Path, wish: Wish) -> Settings:
    """The settings there, or those to be written."""
    if not (home / FILE_NAME).exists():
        return Settings(home=home, installation=new_id(), database=wish.database, broker=wish.broker)
    settings = load(home)
    for name in ("database", "broker"):
        wanted, there = getattr(wish, name), getattr(settings, name)
        if wanted and wanted != there:
            raise Conflict(
                "{file} names another {name}: {there}",
                file=str(home / FILE_NAME), name=name, there=without_password(there) or "the default",
                hint="change it there, not with init",
            )  # fmt: skip
    return settings


def _plan(home: Path, settings: Settings) -> list[Part]:
    def part(name: str, path: Path) -> Part:
        return Part(name, THERE if path.exists() else TO_DO, str(path))

    state = THERE if (home / FILE_NAME).exists() else TO_DO
    return [
        part("home", home),
        part("configuration", home / FILE_NAME),
        part("audit key", settings.keys / bootstrap.AUDIT_KEY),
        part("box key", settings.keys / bootstrap.BOX_KEY),
        part("recovery key", settings.keys / recovery.PUBLIC),
        Part("database", state, without_password(settings.database_url)),
        Part("administrators", state, without_password(settings.database_url)),
        _clouds(settings),
    ]


def make_home(home: Path) -> Part:
    """The home, private."""
    if not home.exists():
        home.mkdir(mode=0o700, parents=True)
        return Part("home", MADE, str(home))
    if home.stat().st_mode & 0o077:
        home.chmod(0o700)
        return Part("home", CHANGED, str(home), "others could read it; mode is 0700 now")
    return Part("home", THERE, str(home))


def write_configuration(settings: Settings, more: Mapping[str, object] | None = None) -> Part:
    """The settings, with `more` of them, unless there are some; what makes an installation of a home."""
    path = settings.home / FILE_NAME
    if path.exists():
        return Part("configuration", THERE, str(path))
    document: dict[str, object] = {"installation": settings.installation}
    document |= {name: value for name in ("database", "broker") if (value := getattr(settings, name))}
    document |= more or {}
    parse(settings.home, document)
    head = "# Settings of this installation of cloudctl; docs/operations.md names them all.\n"
    secrets.write_private(path, (head + yaml.safe_dump(document, sort_keys=False)).encode())
    return Part("configuration", MADE, str(path))


def _keys(settings: Settings) -> list[Part]:
    settings.keys.mkdir(mode=0o700, exist_ok=True)
    parts = []
    for name, file, make in (
        ("audit key", bootstrap.AUDIT_KEY, secrets.Signer.make_key),
        ("box key", bootstrap.BOX_KEY, secrets.Box.make_key),
    ):
        path = settings.keys / file
        parts.append(Part(name, THERE if path.exists() else MADE, str(path)))
        if not path.exists():
            make(path)
    signer = secrets.Signer.of(settings.keys / bootstrap.POINTS_KEY)
    is_made = recovery.ensure(settings, signer.public, SystemClock().now())
    private = settings.keys / recovery.PRIVATE
    note = f"take {private} away, to two places offline" if private.exists() else "kept elsewhere"
    return [
        *parts,
        Part("recovery key", MADE if is_made else THERE, str(settings.keys / recovery.PUBLIC), note),
    ]


def _administrators(core: Core, wish: Wish) -> tuple[Part, dict[str, secrets.Hidden]]:
    wanted = tuple(wish.administrators) or DEFAULT_ADMINISTRATORS
    try:
        passwords = first_administrators(core, wanted)
    except Conflict:
        return Part("administrators", THERE, "the database"), {}
    return Part("administrators", MADE, "the database", ", ".join(passwords)), passwords


def _clouds(settings: Settings) -> Part:
    if settings.clouds_file is not None:
        return Part("clouds.yaml", THERE, str(settings.clouds_file))
    note = "one entry per site; `cloudctl lab up` writes its own"
    return Part("clouds.yaml", YOURS, str(settings.home / "clouds.yaml"), note)


def without_password(url: str) -> str:
    """The URL without its password."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url
