"""Taking away what the restore of a bucket put: the bucket it made, or its objects in a given one."""

from collections.abc import Callable

from cloudctl.errors import CloudForbidden, CloudNotFound
from cloudctl.operations import Run
from cloudctl.ports import NULL_VERSION, ObjectStore, StoredObject, Stores
from dr.buckets.bringing import target_of
from dr.metering import Meter
from dr.points.parallel import each
from dr.restore_job import RestoreJob

THREADS = 8


def clear(run: Run, job: RestoreJob, stores: Stores, names: Callable[[], frozenset[str]]) -> bool:
    """Delete every version that the restore put, and the bucket where it made it; False when it was stopped.

    A bucket that was given had nothing in it when it was looked at; only what bears one of `names` goes.
    """
    made = job.made.get("bucket")
    if made is None:
        return True  # nothing was begun
    ours = None if made["is_new"] else names()
    name, meter = target_of(job), Meter(run, lambda *_: None)
    target = stores.restored(job.site.id, name)
    run.must_hold()
    try:
        mine = (one for one in target.list_versions() if ours is None or one.key in ours)
        for _ in each(mine, lambda one: _delete(target, one), THREADS, meter.stop):
            pass
    except CloudNotFound:
        return True
    except CloudForbidden:
        if not made["is_new"]:
            raise
        return True  # somebody else made one of that name first
    if meter.stop():
        return False
    if made["is_new"]:
        run.must_hold()
        stores.drop_bucket(job.site.id, name)
    return True


def _delete(target: ObjectStore, one: StoredObject) -> None:
    target.delete(one.key, one.version_id or NULL_VERSION)
