"""A look at buckets before they become members of a policy; no transaction is open meanwhile."""

from collections.abc import Callable, Mapping, Sequence

from cloudctl.errors import CloudctlError, CloudNotFound
from cloudctl.ports import Stores
from dr.policy_check import BucketLook
from dr.policy_form import MemberForm

Look = Callable[[Sequence[MemberForm]], Mapping[MemberForm, BucketLook]]


def nothing_seen(_buckets: Sequence[MemberForm]) -> Mapping[MemberForm, BucketLook]:
    """Nobody has looked: nothing is held against them."""
    return {}


def look_at(stores: Callable[[], Stores]) -> Look:
    """Asks the stores of their sites, one bucket after the other; no stores are needed where no bucket is."""

    def look(buckets: Sequence[MemberForm]) -> Mapping[MemberForm, BucketLook]:
        return {one: _look(stores, one) for one in buckets}

    return look


def _look(stores: Callable[[], Stores], one: MemberForm) -> BucketLook:
    try:
        has_versions = stores().bucket(one.site, one.name).keeps_versions()
    except CloudNotFound:
        return BucketLook.MISSING
    except CloudctlError:
        return BucketLook.UNREACHABLE
    return BucketLook.FINE if has_versions else BucketLook.UNVERSIONED
