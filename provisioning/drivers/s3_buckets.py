"""Making and removing whole buckets: for what is brought back, and for proofs."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudctl.errors import CloudConflict, CloudNotFound
from provisioning.drivers.s3_errors import translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_ENABLED: Any = {"Status": "Enabled"}


def make_bucket(s3: "S3Client", site: str, name: str) -> None:
    """Make an empty bucket that keeps versions; one of the caller's own of that name is fine.

    CloudConflict when somebody else has the name. Some stores answer that with yes, others with a conflict:
    whose it is shows only to whoever may ask for the versioning of it.
    """
    what = f"make the bucket '{name}'"
    try:
        with translated(site, what):
            s3.create_bucket(Bucket=name)
    except CloudConflict as error:
        if "BucketAlreadyOwnedByYou" not in error.text():
            raise
    with translated(site, what):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=_ENABLED)


def drop_bucket(s3: "S3Client", site: str, name: str) -> None:
    """Remove the empty bucket; gone already is fine."""
    with suppress(CloudNotFound), translated(site, f"remove the bucket '{name}'"):
        s3.delete_bucket(Bucket=name)
