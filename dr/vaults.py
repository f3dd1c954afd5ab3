"""Vaults: the bucket of a site is looked at, what it is worth is read back from it, and put on record."""

import re
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudctlError, Fault, NotFound
from cloudctl.models import PointCopy, Site, Vault
from cloudctl.ports import LockMode, Purpose, Stores
from cloudctl.queries.protection import STORED
from cloudctl.store import UnitOfWork

SUBJECT = "vault"
READY, UNREACHABLE, FULL = "ready", "unreachable", "full"
_MOST_BYTES = 1 << 60
_PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class VaultWish:
    """What somebody says of a vault while it is checked; None leaves what is on record.

    `escrow_key` is the public half in hex; `limit_bytes` 0 takes the limit away.
    """

    escrow_key: str | None = None
    limit_bytes: int | None = None


@dataclass(frozen=True)
class _Look:
    """What the bucket says of itself now."""

    bucket: str
    lock_mode: LockMode | None  # None: it did not answer
    note: str = ""


def check(
    core: Core, actor: Actor, stores: Stores, site_id: str, wish: VaultWish | None = None
) -> dict[str, Any]:
    """Look at the vault of a site and put on record what it is worth; a row with what is to be known.

    The lock is read back from the bucket, never assumed. A vault that does not answer keeps what was known of
    it and is `unreachable`. The first check needs the escrow key of the site. BadInput, NotFound;
    Misconfigured where stores.yaml has no vault for the site. Needs backup.plan at the site.
    """
    said = wish or VaultWish()
    with core.store.read() as uow:
        actor.must("backup.plan", [("site", site_id)])
        if uow.get(Site, site_id) is None:
            raise NotFound("{what} '{key}' does not exist", what="site", key=site_id)
        _must_be_sound(said, uow.get(Vault, site_id))
    found = _look(stores, site_id)  # no transaction is open while the store is asked
    with core.store.write() as uow:
        return _record(core, uow, actor, site_id, said, found)


def site_of(stores: Stores, wanted: str) -> str:
    """The site of a vault, from its id or from `s3://BUCKET`. NotFound when stores.yaml has no such vault."""
    sites = stores.sites()
    if wanted in sites:
        return wanted
    bucket = wanted.removeprefix("s3://").rstrip("/")
    if wanted.startswith("s3://"):
        for site in sites:
            if stores.vault(site, Purpose.READ).bucket == bucket:
                return site
    raise NotFound("{what} '{key}' does not exist", what="vault", key=wanted)


def used_bytes(uow: UnitOfWork, site_id: str) -> int:
    """What our copies take in the vault of a site, counted anew."""
    mine = (PointCopy.site_id == site_id, PointCopy.state.in_(STORED))
    return sum(uow.column(PointCopy.bytes_done, *mine))


def _must_be_sound(wish: VaultWish, vault: Vault | None) -> None:
    faults = []
    if wish.escrow_key is None and vault is None:
        hint = "make one with: cloudctl vault key SITE FILE, and keep its private half offline"
        faults.append(Fault("escrow_key", "missing", "the first check needs the escrow key", hint=hint))
    if wish.escrow_key is not None and not _PUBLIC_KEY.fullmatch(wish.escrow_key):
        template = "must be a public key, in 64 hexadecimal digits"
        faults.append(Fault("escrow_key", "bad_key", template))
    if wish.limit_bytes is not None and not 0 <= wish.limit_bytes <= _MOST_BYTES:
        template = "must be a number from {least} to {most}"
        faults.append(Fault("limit_bytes", "out_of_range", template, {"least": 0, "most": _MOST_BYTES}))
    if faults:
        raise BadInput("the input has faults", faults=faults)


def _look(stores: Stores, site_id: str) -> _Look:
    vault = stores.vault(site_id, Purpose.READ)
    try:
        return _Look(vault.bucket, vault.lock_mode())
    except CloudctlError as error:
        return _Look(vault.bucket, None, error.text())


def _record(
    core: Core, uow: UnitOfWork, actor: Actor, site_id: str, wish: VaultWish, found: _Look
) -> dict[str, Any]:
    now, vault = core.clock.now(), uow.get(Vault, site_id)
    if vault is None:
        vault = Vault(site_id=site_id, bucket=found.bucket, lock_mode=LockMode.NONE, escrow_key="")
        uow.session.add(vault)
    before = (vault.bucket, vault.lock_mode, vault.escrow_key, vault.limit_bytes, vault.state)
    vault.bucket, vault.note = found.bucket, found.note
    if wish.escrow_key is not None:
        vault.escrow_key = wish.escrow_key
    if wish.limit_bytes is not None:
        vault.limit_bytes = wish.limit_bytes or None
    vault.used_bytes = used_bytes(uow, site_id)
    if found.lock_mode is None:
        vault.state = UNREACHABLE
    else:
        vault.lock_mode, vault.probed_at = found.lock_mode, now
        is_full = vault.limit_bytes is not None and vault.used_bytes >= vault.limit_bytes
        vault.state = FULL if is_full else READY
    uow.flush()
    after = (vault.bucket, vault.lock_mode, vault.escrow_key, vault.limit_bytes, vault.state)
    if after != before:
        names = ("bucket", "lock_mode", "escrow_key", "limit_bytes", "state")
        details = {
            name: [was, is_] for name, was, is_ in zip(names, before, after, strict=True) if was != is_
        }
        core.audit.record(uow, actor.user_id, "backup.vault.check", SUBJECT, site_id, details, actor.trace_id)
    return {"id": site_id, "state": vault.state, "lock_mode": vault.lock_mode, "note": vault.note}
