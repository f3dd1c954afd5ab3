"""The random passwords and keys of one lab: made once, kept in one private file."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.sites import Site

#: Accounts of a site's Keystone; `backup` owns the bucket of the volume backups.
SERVICE_USERS = ("nova", "glance", "placement", "neutron", "cinder", "rgw", "backup")
#: Accounts of a site's vault, each with an S3 key of its own.
VAULT_ACCOUNTS = ("owner", "write", "read", "expire")
_SITE_SECRETS = (
    "admin", "database", "rabbit", "cookie", "backup-access", "backup-secret", *SERVICE_USERS,
    *(f"vault-{account}-{part}" for account in VAULT_ACCOUNTS for part in ("access", "secret")),
)  # fmt: skip


@dataclass(frozen=True)
class SiteCredentials:
    """The passwords of one site by name of their owner, and the S3 key of its cinder-backup."""

    passwords: dict[str, str]

    @property
    def backup_access(self) -> str:
        return self.passwords["backup-access"]

    @property
    def backup_secret(self) -> str:
        return self.passwords["backup-secret"]

    def vault_key(self, account: str) -> tuple[str, str]:
        """The S3 key of an account of the vault."""
        return self.passwords[f"vault-{account}-access"], self.passwords[f"vault-{account}-secret"]


class Credentials:
    """All secrets of a lab."""

    def __init__(self, path: Path, sites: Iterable[Site]) -> None:
        """Loads the file, adds what is missing and writes it back readable by its owner only."""
        kept: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
        wanted = {site.name: _SITE_SECRETS for site in sites}
        complete = {
            owner: {name: kept.get(owner, {}).get(name) or secrets.token_hex(16) for name in names}
            for owner, names in wanted.items()
        }
        self._all = kept | complete
        if self._all != kept:
            write_private(path, json.dumps(self._all, indent=2) + "\n")

    def of(self, site: Site) -> SiteCredentials:
        return SiteCredentials(self._all[site.name])


def write_private(path: Path, text: str) -> bool:
    """Replaces a file in one move, mode 0600; False if it already said so (it is then left untouched)."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
    return True
