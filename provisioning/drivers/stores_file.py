"""The buckets of all sites out of stores.yaml, checked as a whole; all faults at once.

    stores:
      city-1:                                  # the id of the site
        endpoint: https://s3.city.example
        ca: /etc/ssl/city.pem                  # or `verify: false`; without either the machine's own CAs
        region: us-east-1                      # where the store wants another
        native: {bucket: volumebackups, access_key: ..., secret_key: ...}
        vault:
          bucket: vault
          write: {access_key: ..., secret_key: ...}
          read: {access_key: ..., secret_key: ...}
          expire: {access_key: ..., secret_key: ...}
        buckets:                               # reads the departments' buckets
          access_key: ...
          secret_key: ...
          restore: {access_key: ..., secret_key: ...}    # makes buckets and puts what is brought back

A site may have `native` without `vault` (its data goes elsewhere) and `vault` without `native`. Without
`restore` no bucket is brought back there, and none proved by that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloudctl.errors import Fault, Misconfigured
from cloudctl.ports import Purpose
from provisioning.drivers.key_file import NotReadError, open_to_others, read_document
from provisioning.drivers.s3_objects import Access

_WORDS = ("endpoint", "ca", "verify", "region", "native", "vault", "buckets")
_KEY_WORDS = ("access_key", "secret_key")


@dataclass(frozen=True)
class SiteStores:
    """What stores.yaml says about one site."""

    native: Access | None = None
    native_bucket: str = ""
    vault_bucket: str = ""
    vault: Mapping[Purpose, Access] | None = None
    buckets: Access | None = None
    restoring: Access | None = None


def read_stores(path: Path) -> dict[str, SiteStores]:
    """The file, checked. Misconfigured names every fault; what it quotes is never a key."""
    try:
        document = read_document(path, hint="write one entry for each site")
    except NotReadError as error:
        raise Misconfigured("the object stores cannot be read", faults=[error.fault]) from error
    reading = _Reading(str(path))
    reading.faults += open_to_others(path, str(path))
    found = reading.sites(document)
    if reading.faults:
        raise Misconfigured("stores.yaml has faults", faults=reading.faults)
    return found


class _Reading:
    """One pass over the document, collecting faults."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.faults: list[Fault] = []

    def fault(
        self, where: str, code: str, template: str, *, hint: str | None = None, **params: object
    ) -> None:
        place = f"{self._place}: {where}" if where else self._place
        self.faults.append(Fault(place, code, template, params, hint))

    def sites(self, document: Any) -> dict[str, SiteStores]:
        rows = document.get("stores") if isinstance(document, dict) else None
        if not isinstance(rows, dict) or not rows:
            self.fault("stores", "missing", "is missing", hint="write one entry for each site")
            return {}
        return {str(site): self._site(str(site), row) for site, row in rows.items()}

    def _site(self, site: str, row: Any) -> SiteStores:
        where = f"stores.{site}"
        if not self._is_mapping(where, row, _WORDS):
            return SiteStores()
        endpoint = self._text(where, row, "endpoint")
        if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
            self.fault(f"{where}.endpoint", "bad_value", "must be an address with http:// or https://")
        verify = self._verify(where, row)
        region = str(row.get("region") or "us-east-1")

        def access(inside: str, keys: Any, extra: tuple[str, ...] = ()) -> Access | None:
            if not self._is_mapping(inside, keys, (*_KEY_WORDS, *extra)):
                return None
            pair = [self._text(inside, keys, word) for word in _KEY_WORDS]
            return Access(site, endpoint, pair[0], pair[1], verify, region)

        native = access(f"{where}.native", row["native"], ("bucket",)) if "native" in row else None
        native_bucket = self._text(f"{where}.native", row["native"], "bucket") if native else ""
        vault, vault_bucket = None, ""
        if "vault" in row:
            inside = f"{where}.vault"
            purposes = tuple(purpose.value for purpose in Purpose)
            if self._is_mapping(inside, row["vault"], ("bucket", *purposes)):
                vault_bucket = self._text(inside, row["vault"], "bucket")
                made = {p: access(f"{inside}.{p.value}", row["vault"].get(p.value)) for p in Purpose}
                vault = {purpose: one for purpose, one in made.items() if one is not None}
                self._check_apart(inside, vault)
        buckets = access(f"{where}.buckets", row["buckets"], ("restore",)) if "buckets" in row else None
        restoring = None
        if buckets is not None and "restore" in row["buckets"]:
            restoring = access(f"{where}.buckets.restore", row["buckets"]["restore"])
        return SiteStores(native, native_bucket, vault_bucket, vault, buckets, restoring)

    def _check_apart(self, where: str, vault: Mapping[Purpose, Access]) -> None:
        """The one that writes must be nobody else: it can neither read nor delete."""
        if len({access.access_key for access in vault.values()}) < len(vault):
            self.fault(where, "same_key", "each purpose needs a key of its own")

    def _verify(self, where: str, row: Mapping[str, Any]) -> str | bool:
        if row.get("ca") is not None:
            path = str(row["ca"])
            if not Path(path).is_file():
                self.fault(f"{where}.ca", "no_file", "the file {file} does not exist", file=path)
            return path
        verify = row.get("verify", True)
        if not isinstance(verify, bool):
            self.fault(f"{where}.verify", "bad_type", "must be {type}", type="bool")
            return True
        return verify

    def _text(self, where: str, row: Mapping[str, Any], word: str) -> str:
        value = row.get(word)
        if value is None or value == "":
            self.fault(f"{where}.{word}", "missing", "is missing")
            return ""
        if not isinstance(value, str):
            self.fault(f"{where}.{word}", "bad_type", "must be {type}", type="str")
            return ""
        return value

    def _is_mapping(self, where: str, row: Any, known: tuple[str, ...]) -> bool:
        if not isinstance(row, dict):
            self.fault(where, "not_a_mapping", "write keys", hint="known: {known}", known=", ".join(known))
            return False
        for word in sorted(set(row) - set(known), key=str):
            words = ", ".join(known)
            self.fault(
                f"{where}.{word}", "unknown_key", "is not a setting", hint="known: {known}", known=words
            )
        return True
