"""All object stores of an installation as the port Stores: connections are kept, and follow stores.yaml."""

import threading
from typing import TYPE_CHECKING

from cloudctl.config import Settings
from cloudctl.errors import CloudForbidden, Misconfigured
from cloudctl.ports import ObjectStore, Purpose
from provisioning.drivers.s3_buckets import drop_bucket, make_bucket
from provisioning.drivers.s3_objects import Access, S3ObjectStore, connect
from provisioning.drivers.stores_file import SiteStores, read_stores

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_NO_ENTRY = "stores.yaml has no {what} for site '{site}'"


class S3Stores:
    """Implements Stores over stores.yaml; read again when the file was changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stamp: tuple[object, ...] = ()
        self._sites: dict[str, SiteStores] = {}
        self._clients: dict[Access, S3Client] = {}

    def vault(self, site_id: str, purpose: Purpose) -> ObjectStore:
        found = self._site(site_id)
        if found.vault is None:
            raise Misconfigured(_NO_ENTRY, what="vault", site=site_id)
        return self._store(found.vault[purpose], found.vault_bucket)

    def native(self, site_id: str, bucket: str | None = None) -> ObjectStore:
        found = self._site(site_id)
        if found.native is None:
            raise Misconfigured(_NO_ENTRY, what="native", site=site_id)
        return self._store(found.native, bucket or found.native_bucket)

    def bucket(self, site_id: str, name: str) -> ObjectStore:
        found = self._site(site_id)
        if found.buckets is None:
            raise Misconfigured(_NO_ENTRY, what="buckets", site=site_id)
        _must_be_a_departments(found, site_id, name)
        return self._store(found.buckets, name)

    def restored(self, site_id: str, name: str) -> ObjectStore:
        return self._store(self._restoring(site_id, name), name)

    def make_bucket(self, site_id: str, name: str) -> None:
        make_bucket(self._client(self._restoring(site_id, name)), site_id, name)

    def drop_bucket(self, site_id: str, name: str) -> None:
        drop_bucket(self._client(self._restoring(site_id, name)), site_id, name)

    def sites(self) -> list[str]:
        """None while there is no stores.yaml."""
        if not self._settings.stores_file.exists():
            return []
        return sorted(site for site, found in self._read().items() if found.vault is not None)

    def _restoring(self, site_id: str, name: str) -> Access:
        found = self._site(site_id)
        _must_be_a_departments(found, site_id, name)
        if found.restoring is None:
            raise Misconfigured(_NO_ENTRY, what="buckets.restore", site=site_id)
        return found.restoring

    def _site(self, site_id: str) -> SiteStores:
        found = self._read().get(site_id)
        if found is None:
            raise Misconfigured(_NO_ENTRY, what="entry", site=site_id)
        return found

    def _read(self) -> dict[str, SiteStores]:
        path = self._settings.stores_file
        with self._lock:
            try:
                stat = path.stat()
                stamp: tuple[object, ...] = (stat.st_mtime_ns, stat.st_ino, stat.st_mode)
            except OSError:
                stamp = ()
            if not stamp or stamp != self._stamp:
                self._sites = read_stores(path)
                self._stamp = stamp
                known = {access for site in self._sites.values() for access in _accesses(site)}
                self._clients = {access: one for access, one in self._clients.items() if access in known}
            return self._sites

    def _store(self, access: Access, bucket: str) -> ObjectStore:
        return S3ObjectStore(self._client(access), access.site, bucket)

    def _client(self, access: Access) -> "S3Client":
        with self._lock:
            client = self._clients.get(access)
            if client is None:
                client = self._clients[access] = connect(access, self._settings.cloud_timeout_s)
        return client


def _must_be_a_departments(found: SiteStores, site_id: str, name: str) -> None:
    """CloudForbidden for the buckets in which backups are."""
    if name in {found.vault_bucket, found.native_bucket}:
        raise CloudForbidden("{site}: the bucket {bucket} holds backups", site=site_id, bucket=name)


def _accesses(site: SiteStores) -> list[Access]:
    several = [site.native, site.buckets, site.restoring, *(site.vault or {}).values()]
    return [access for access in several if access is not None]
