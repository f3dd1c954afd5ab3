"""The vault of a site: a locked bucket, its owner, and three accounts of least right.

The accounts are radosgw's own, not Keystone's: who administers the cloud does not thereby reach the vault.
Nobody but the owner could change the policy of the bucket, and the owner's key is used here alone.
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.commands import run
from lab.credentials import VAULT_ACCOUNTS, SiteCredentials
from lab.layout import Layout
from lab.services import environment
from lab.sites import Site

BUCKET = "vault"
NATIVE_BUCKET = "volume-backups"
ROOM_BYTES = 6 << 30
_OWNER = VAULT_ACCOUNTS[0]
#: What each purpose may do, with the objects and with the bucket.
_RIGHTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "write": (("PutObject", "PutObjectRetention", "AbortMultipartUpload"), ()),
    "read": (
        ("GetObject", "GetObjectVersion", "GetObjectRetention"),
        ("ListBucket", "ListBucketVersions", "GetBucketObjectLockConfiguration", "GetBucketVersioning"),
    ),
    "expire": (("DeleteObjectVersion",), ()),
}
_DENIED_TO_OWNER = (
    "GetObject", "GetObjectVersion", "GetObjectAcl", "GetObjectVersionAcl", "GetObjectTagging",
    "GetObjectVersionTagging", "GetObjectRetention", "GetObjectLegalHold", "PutObjectAcl",
    "PutObjectVersionAcl", "PutObjectTagging", "PutObjectVersionTagging", "PutObjectLegalHold",
    "DeleteObject", "DeleteObjectVersion", "DeleteObjectTagging", "DeleteObjectVersionTagging",
    "BypassGovernanceRetention", "RestoreObject",
)  # fmt: skip


def create(layout: Layout, plan: Site, secret: SiteCredentials) -> None:
    """Makes accounts, vault and cinder-backup's own bucket, once for each policy. Keystone answers."""
    digest = hashlib.sha256(json.dumps(policy()).encode()).hexdigest()[:16]
    stamp = layout.site(plan).stamp(f"vault-{digest}")
    if stamp.exists():
        return
    with ThreadPoolExecutor(len(VAULT_ACCOUNTS)) as pool:
        list(pool.map(lambda account: _account(layout, plan, secret, account), VAULT_ACCOUNTS))
    owner = _client(plan, *secret.vault_key(_OWNER))
    _bucket(owner, BUCKET, is_locked=True)
    owner.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy()))
    _bucket(_client(plan, secret.backup_access, secret.backup_secret), NATIVE_BUCKET, is_locked=False)
    stamp.touch()


def user_of(account: str) -> str:
    """The id of an account at the gateway."""
    return f"vault-{account}"


def policy() -> dict[str, Any]:
    """Who may do what in the vault; whoever is not named may do nothing.

    Who writes an object owns it, and an owner may read it, open it to others and hold it for ever, whatever
    is allowed: so that is denied, word by word (radosgw 16 takes a `NotAction` and does not heed it).
    """
    statements = [_statement("Deny", "write", _DENIED_TO_OWNER, f"{BUCKET}/*")]
    for purpose, (with_objects, with_bucket) in _RIGHTS.items():
        for actions, resource in ((with_objects, f"{BUCKET}/*"), (with_bucket, BUCKET)):
            if actions:
                statements.append(_statement("Allow", purpose, actions, resource))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(effect: str, purpose: str, actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": {"AWS": [f"arn:aws:iam:::user/{user_of(purpose)}"]},
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [f"arn:aws:s3:::{resource}"],
    }


def set_room(layout: Layout, plan: Site, max_bytes: int) -> None:
    """How much the vault takes before it is full; for tests. Takes effect at the next object."""
    _admin(
        layout, plan,
        "quota", "set", f"--uid={user_of(_OWNER)}", "--quota-scope=user", f"--max-size={max_bytes}",
    )  # fmt: skip


def _account(layout: Layout, plan: Site, secret: SiteCredentials, account: str) -> None:
    """Put as a whole, over standard input: `user create` would show the key to everybody on the machine."""
    name = user_of(account)
    access, key = secret.vault_key(account)
    user: dict[str, Any] = {
        "user_id": name,
        "display_name": name,
        "max_buckets": 10 if account == _OWNER else -1,
        "keys": [{"user": name, "access_key": access, "secret_key": key}],
        "op_mask": "read, write, delete",
        "type": "rgw",
    }
    if account == _OWNER:
        user["user_quota"] = {"enabled": True, "max_size": ROOM_BYTES, "max_objects": -1}
    row = {"key": f"user:{name}", "ver": {"tag": "lab", "ver": 1}, "data": user}
    _admin(layout, plan, "metadata", "put", f"user:{name}", stdin=json.dumps(row))


def _admin(layout: Layout, plan: Site, *argv: str, stdin: str = "") -> None:
    site = layout.site(plan)
    run(
        ["radosgw-admin", "-c", str(site.ceph_conf), "-n", "client.rgw.x", *argv],
        log=site.setup_log, namespace=plan.namespace, env=environment(layout, site), stdin=stdin,
    )  # fmt: skip


def _bucket(s3: Any, name: str, *, is_locked: bool) -> None:
    try:
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=is_locked)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def _client(plan: Site, access_key: str, secret_key: str) -> Any:
    config = Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 5},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    )
    session = boto3.session.Session(access_key, secret_key, region_name="us-east-1")
    return session.client("s3", endpoint_url=plan.url("radosgw"), config=config)
