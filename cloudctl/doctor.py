"""`cloudctl doctor`: looks at all an installation depends on, changes nothing, and says what to do."""

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cloudctl import bootstrap
from cloudctl.clock import SystemClock
from cloudctl.config import Settings, load
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Misconfigured
from cloudctl.models import Site, Vault
from cloudctl.ports import Clouds, Purpose, Stores
from cloudctl.store import UnitOfWork

OK, WARN, FAIL = "ok", "warn", "fail"
CLOUD_TIMEOUT_S = 5.0
SKEW_WARN_S, SKEW_FAIL_S = 5, 60
DISK_WARN_MIB, DISK_FAIL_MIB = 5 * 1024, 512


@dataclass(frozen=True)
class Finding:
    """What one look found, and what to do about it."""

    name: str
    state: str
    detail: str
    advice: str = ""


def examine(home: Path) -> Iterator[Finding]:
    """Every finding, as it is found; later looks are left out when what they need is missing."""
    yield python_version()
    yield from dependencies()
    yield home_mode(home)
    try:
        settings = load(home)
    except CloudctlError as error:
        faults = "; ".join(str(fault) for fault in error.faults)
        yield Finding("configuration", FAIL, f"{error}: {faults}", "run: cloudctl init")
        return
    yield Finding("configuration", OK, str(home / "cloudctl.yaml"))
    yield from keys(settings)
    yield disk_room(home)
    yield from printing()
    yield broker(settings)
    yield server(settings)
    try:
        core = bootstrap.open_core(settings, SystemClock(), bootstrap.SilentBell())
    except CloudctlError:
        return  # the keys were named above
    try:
        yield from _with_database(core)
    finally:
        core.store.close()


def _with_database(core: Core) -> Iterator[Finding]:
    found = database(core)
    yield found
    if found.state != OK:
        return
    yield audit_chain(core)
    yield acting(core)
    yield from own_copies(core)
    yield administrators(core)
    yield from clouds(core)
    yield from vaults(core)
    yield from witness(core.settings)
    yield ssh(core)


def python_version(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Python 3.11 or newer."""
    shown = ".".join(map(str, version))
    if version < (3, 11):
        return Finding("python", FAIL, shown, "install Python 3.11 or newer and make the environment anew")
    return Finding("python", OK, shown)


def dependencies() -> Iterator[Finding]:
    """Each library is there in a version that cloudctl was made for."""
    from packaging.requirements import Requirement  # noqa: PLC0415

    wrong = []
    for text in importlib.metadata.requires("cloudctl") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, wanted {requirement.specifier}")
    if wrong:
        yield Finding("libraries", FAIL, "; ".join(wrong), "install from requirements.lock")
    else:
        yield Finding("libraries", OK, f"cloudctl {importlib.metadata.version('cloudctl')}")


def home_mode(home: Path) -> Finding:
    """The home is there and nobody else reads it."""
    if not home.is_dir():
        return Finding("home", FAIL, f"{home} does not exist", "run: cloudctl init")
    mode = home.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding("home", WARN, f"{home} has mode {mode:04o}", f"run: chmod 700 {home}")
    return Finding("home", OK, str(home))


def keys(settings: Settings) -> Iterator[Finding]:
    """The keys are there and private."""
    for name, file in (("audit key", bootstrap.AUDIT_KEY), ("box key", bootstrap.BOX_KEY)):
        path = settings.keys / file
        if not path.exists():
            yield Finding(name, FAIL, f"{path} is missing", "restore it from the backup of the keys")
        elif (mode := path.stat().st_mode & 0o777) & 0o077:
            yield Finding(name, FAIL, f"{path} has mode {mode:04o}", f"run: chmod 600 {path}")
        else:
            yield Finding(name, OK, str(path))


def disk_room(home: Path, free_bytes: int | None = None) -> Finding:
    """There is room for database, logs and signed heads."""
    free_mib = (shutil.disk_usage(home).free if free_bytes is None else free_bytes) // 2**20
    detail = f"{free_mib} MiB free below {home}"
    if free_mib < DISK_WARN_MIB:
        return Finding("disk", FAIL if free_mib < DISK_FAIL_MIB else WARN, detail, "make room on this disk")
    return Finding("disk", OK, detail)


def printing() -> Iterator[Finding]:
    """Bulletins can be printed: Pango is there, and a font that shows Chinese."""
    from tenants.bulletin import pdf  # noqa: PLC0415

    missing = pdf.missing_libraries()
    if missing:
        advice = f"run: apt-get install {pdf.PACKAGES}"
        yield Finding("Pango", WARN, f"no PDF can be made without {', '.join(missing)}", advice)
    else:
        yield Finding("Pango", OK, "the libraries that make a PDF are there")
    try:
        fonts = pdf.chinese_fonts()
    except OSError:
        yield Finding("Chinese font", WARN, "fc-list is missing", "run: apt-get install fontconfig")
        return
    if not fonts:
        advice = f"run: apt-get install {pdf.FONT_PACKAGE}"
        yield Finding("Chinese font", WARN, "none: a PDF would show boxes, so none is made", advice)
    else:
        yield Finding("Chinese font", OK, ", ".join(fonts[:2]))


def broker(settings: Settings) -> Finding:
    """The broker answers, where one is used."""
    if not settings.broker:
        return Finding("broker", OK, "none: the worker is inside `cloudctl serve`")
    from cloudctl.worker import open_queue, queue_problem  # noqa: PLC0415

    problem = queue_problem(open_queue(settings))
    if problem:
        advice = "start RabbitMQ; until then work is found by polling, a second later"
        return Finding("broker", WARN, problem, advice)
    return Finding("broker", OK, "RabbitMQ answers")


def server(settings: Settings) -> Finding:
    """`cloudctl serve` runs and is ready."""
    import httpx  # noqa: PLC0415

    try:
        transport = httpx.HTTPTransport(uds=str(settings.socket))
        with httpx.Client(transport=transport, timeout=CLOUD_TIMEOUT_S) as client:
            answer = client.get("http://cloudctl/api/v1/health/ready")
    except httpx.HTTPError as error:
        return Finding("server", WARN, f"no answer from {settings.socket}: {error}", "run: cloudctl serve")
    if answer.status_code != httpx.codes.OK:
        return Finding("server", FAIL, f"not ready: {answer.status_code}", "look into CLOUDCTL_HOME/log")
    return Finding("server", OK, str(settings.socket))


def database(core: Core) -> Finding:
    """The database answers and has the schema of this version."""
    name = core.store.engine.dialect.name
    try:
        has, wants = core.store.schema_version()
    except Exception as error:  # whatever the driver raises
        return Finding("database", FAIL, f"{name}: {error}".splitlines()[0], "start it, or mend `database`")
    if has != wants:
        return Finding("database", FAIL, f"{name} has schema {has}, wanted {wants}", "run: cloudctl init")
    return Finding("database", OK, f"{name}, schema {has}")


def audit_chain(core: Core) -> Finding:
    """The newest part of the audit chain fits its signed heads."""
    verdict = core.audit.verify_tail(core.store)
    if not verdict.is_intact:
        faults = "; ".join(str(fault) for fault in verdict.faults[:3])
        return Finding(
            "audit chain", FAIL, faults, "keep this machine as it is and run: cloudctl audit verify"
        )
    return Finding("audit chain", OK, f"the last {verdict.events} events fit")


def acting(core: Core) -> Finding:
    """Whether the installation acts on its clouds, or came out of a vault and only observes."""
    from cloudctl.observing import restore_in_force, standby_of  # noqa: PLC0415

    with core.store.read() as uow:
        row, standby = restore_in_force(uow), standby_of(uow)
    if row is None and standby is not None:
        told = f"{standby.site_id}: {standby.state}; the home was last at work {standby.seen_at or '-'}"
        return Finding("observe only", WARN if standby.error else OK, told, standby.error)
    if row is None:
        return Finding("observe only", OK, "no: it acts on its clouds")
    said = ", ".join(one["user"] for one in row.confirmations) or "nobody"
    detail = f"brought back from {row.source}, as of {row.taken_at:%Y-%m-%d %H:%M} UTC; confirmed by {said}"
    return Finding("observe only", WARN, detail, "two different people run: cloudctl database confirm")


def own_copies(core: Core) -> Iterator[Finding]:
    """The recovery key is in safe hands, and the newest copy of the database is young and proved."""
    from cloudctl import dumps  # noqa: PLC0415
    from dr.database import recovery  # noqa: PLC0415
    from dr.database.copies import newest_whole  # noqa: PLC0415

    settings, name = core.settings, "recovery key"
    private = settings.keys / recovery.PRIVATE
    if recovery.public_half(settings) is None:
        yield Finding(name, WARN, "there is none: the database is copied to no vault", "run: cloudctl init")
    elif private.exists():
        advice = "take it to two places offline, then delete it here"
        yield Finding(name, WARN, f"{private} would be lost together with this machine", advice)
    else:
        yield Finding(name, OK, "kept elsewhere")
    missing = dumps.program_problem(core.store.engine.dialect.name)
    if missing:
        yield Finding("database tools", WARN, f"{missing} missing", "run: apt-get install postgresql-client")
    with core.store.read() as uow:
        copy, has_vaults = newest_whole(uow), uow.count(Vault) > 0
    now, name = core.clock.now(), "database copy"
    if copy is None or copy.taken_at is None:
        advice = "it is made by itself" if has_vaults else "run: cloudctl vault check SITE"
        yield Finding(name, WARN, "there is none in any vault", advice)
        return
    age_h = (now - copy.taken_at).total_seconds() / 3600
    detail = f"of {copy.taken_at:%Y-%m-%d %H:%M} UTC, {copy.state}, proved to {copy.level or 'nothing'}"
    is_young = age_h * 3600 <= 2 * settings.database_every_s
    if copy.level == "L2" and copy.state == "protected" and is_young:
        yield Finding(name, OK, detail)
    else:
        yield Finding(name, WARN, f"{detail}, {age_h:.0f} h old", "run: cloudctl database backup --wait")


def administrators(core: Core) -> Finding:
    """Two people at least can administer accounts, or a lost password needs the glass broken."""
    with core.store.read() as uow:
        count = count_administrators(uow)
    if count < 2:
        return Finding("administrators", WARN, f"{count} can sign in", "let another one be made")
    return Finding("administrators", OK, f"{count} can sign in")


def count_administrators(uow: UnitOfWork) -> int:
    """How many system administrators have an open account."""
    from cloudctl.actors import Role  # noqa: PLC0415
    from cloudctl.models import RoleGrant, User  # noqa: PLC0415

    holders = set(uow.column(RoleGrant.user_id, RoleGrant.role == Role.SYSTEM_ADMIN.value))
    return uow.count(User, User.id.in_(holders), User.disabled_at.is_(None))


def clouds(core: Core) -> Iterator[Finding]:
    """Each site has an entry in clouds.yaml, lets us in, and has our time."""
    settings = core.settings
    if settings.clouds_file is None:
        yield Finding(
            "clouds.yaml", WARN, f"{settings.home / 'clouds.yaml'} does not exist",
            "write one entry per site; `cloudctl lab up` writes its own",
        )  # fmt: skip
        return
    with core.store.read() as uow:
        sites = uow.all(Site, Site.retired_at.is_(None), order_by=[Site.id])
    if not sites:
        yield Finding("sites", WARN, "no site is known yet", "run: cloudctl topology apply FILE")
        return
    quick = bootstrap.open_clouds(replace(settings, cloud_timeout_s=CLOUD_TIMEOUT_S), core.store)
    for site in sites:
        yield from examine_site(site, quick)


def examine_site(site: Site, clouds: Clouds) -> Iterator[Finding]:
    """One site: signing in, every service, the clock."""
    name = f"site {site.id}"
    advice = f"run: openstack --os-cloud {site.cloud} token issue"
    try:
        inspection = clouds.at(site.id).inspect()
    except Misconfigured as error:
        yield Finding(name, FAIL, str(error), f"add '{site.cloud}' to clouds.yaml")
        return
    except CloudctlError as error:
        yield Finding(name, FAIL, f"{error.code}: {error}", advice)
        return
    silent = [f"{service.name}: {service.detail}" for service in inspection.services if not service.is_ok]
    if silent:
        yield Finding(name, FAIL, "; ".join(silent), advice)
    else:
        yield Finding(name, OK, f"signed in as '{site.cloud}' of clouds.yaml, every service answers")
    if inspection.clock_ahead_s is not None:
        yield skew(f"clock of {site.id}", inspection.clock_ahead_s)


def vaults(core: Core) -> Iterator[Finding]:
    """stores.yaml is sound, and each vault answers and is worth what is on record of it."""
    settings = core.settings
    if not settings.stores_file.exists():
        yield Finding(
            "stores.yaml", WARN, f"{settings.stores_file} does not exist: nothing can be backed up",
            "write one entry per site; `cloudctl lab up` writes its own",
        )  # fmt: skip
        return
    stores = bootstrap.open_stores(replace(settings, cloud_timeout_s=CLOUD_TIMEOUT_S))
    try:
        sites = stores.sites()
    except Misconfigured as error:
        faults = "; ".join(str(fault) for fault in error.faults)
        yield Finding("stores.yaml", FAIL, f"{error}: {faults}", f"mend {settings.stores_file}")
        return
    yield Finding("stores.yaml", OK, f"vaults: {', '.join(sites) or 'none'}")
    with core.store.read() as uow:
        known = {row.site_id: row for row in uow.all(Vault)}
    for site_id in sorted({*sites, *known}):
        yield examine_vault(site_id, known.get(site_id), stores)


def examine_vault(site_id: str, row: Vault | None, stores: Stores) -> Finding:
    """One vault: it answers, and its lock is the one that policies rely on."""
    name, advice = f"vault {site_id}", f"run: cloudctl vault check {site_id}"
    try:
        lock = stores.vault(site_id, Purpose.READ).lock_mode()
    except CloudctlError as error:
        return Finding(name, FAIL, f"{error.code}: {error}", f"mend the entry of {site_id} in stores.yaml")
    if row is None:
        return Finding(name, WARN, f"answers, lock {lock}; not taken into use", advice)
    if row.lock_mode != lock:
        return Finding(name, FAIL, f"its lock is {lock}, and was {row.lock_mode} when it was checked", advice)
    if row.state == "full":
        return Finding(name, WARN, "it is full", "make room, or give it a higher limit with `vault check`")
    return Finding(name, OK, f"answers, lock {lock}")


def witness(settings: Settings) -> Iterator[Finding]:
    """Where there is a witness: its file is sound, and each member answers."""
    if not settings.witness_file.exists():
        return
    try:
        members = bootstrap.open_witness(settings).members()
    except Misconfigured as error:
        faults = "; ".join(str(fault) for fault in error.faults)
        yield Finding("witness", FAIL, f"{error}: {faults}", f"mend {settings.witness_file}")
        return
    silent = [f"{member.name}: {member.detail}" for member in members if not member.is_ok]
    if not silent:
        yield Finding("witness", OK, f"{len(members)} members answer")
        return
    has_majority = 2 * len(silent) < len(members)
    advice = "start the silent members: without a majority every system with an agent is stopped"
    yield Finding("witness", WARN if has_majority else FAIL, "; ".join(silent), advice)


def ssh(core: Core) -> Finding:
    """OpenSSH's client is here, where a site lets cloudctl into its servers."""
    with core.store.read() as uow:
        asking = uow.column(Site.id, Site.guests != "none", Site.retired_at.is_(None))
    found = shutil.which("ssh")
    if found is not None:
        return Finding("ssh", OK, found)
    if asking:
        detail = f"missing, and cloudctl is to come into the servers of {', '.join(sorted(asking))}"
        return Finding("ssh", FAIL, detail, "run: apt-get install openssh-client")
    return Finding("ssh", OK, "not installed, and no site lets cloudctl into its servers")


def skew(name: str, seconds: float) -> Finding:
    """What a difference between two clocks means."""
    detail = f"differs by {abs(seconds):.0f} s"
    if abs(seconds) <= SKEW_WARN_S:
        return Finding(name, OK, detail)
    state = FAIL if abs(seconds) > SKEW_FAIL_S else WARN
    return Finding(name, state, detail, "let both machines follow the same time source (chrony)")
