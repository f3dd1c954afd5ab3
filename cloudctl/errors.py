"""The errors of cloudctl: few families, each leaf with a stable `code`, all faults of one input together.

A message is a template plus parameters, so that the edges can show it in Chinese or English; `code` is
what scripts, metrics and the tables of HTTP status and exit codes rely on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

Translate = Callable[[str], str]


def _as_is(template: str) -> str:
    return template


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a form or a file: where, which rule, in words, and the way out."""

    place: str
    code: str
    template: str
    params: Mapping[str, object] = field(default_factory=dict)
    hint: str | None = None

    def text(self, translate: Translate = _as_is) -> str:
        words = translate(self.template).format(**self.params)
        return f"{words} ({translate(self.hint).format(**self.params)})" if self.hint else words

    def __str__(self) -> str:
        return f"{self.place}: {self.text()}"


class CloudctlError(Exception):
    """Root of all errors of cloudctl.

    `retry` says whether the same call may succeed later without anyone changing anything.
    `cloud_request_id` is OpenStack's own id (`req-...`) where the error came from a cloud.
    """

    code: ClassVar[str] = "error"
    retry: ClassVar[bool] = False

    def __init__(
        self,
        template: str,
        *,
        faults: Iterable[Fault] = (),
        hint: str | None = None,
        cloud_request_id: str | None = None,
        **params: object,
    ) -> None:
        self.template = template
        self.params = params
        self.faults = tuple(faults)
        self.hint = hint
        self.cloud_request_id = cloud_request_id
        super().__init__(template)

    def text(self, translate: Translate = _as_is) -> str:
        """The message in the language of `translate`, with hint and OpenStack's request id."""
        words = translate(self.template)
        if self.params:
            words = words.format(**self.params)
        if self.hint:
            words += f" ({translate(self.hint).format(**self.params)})"
        if self.cloud_request_id:
            words += f" [{self.cloud_request_id}]"
        return words

    def in_full(self) -> str:
        """The message with all faults behind it, for a row that is read when nobody can ask any more."""
        return "; ".join((self.text(), *map(str, self.faults)))

    def __str__(self) -> str:
        return self.text()


# -- the caller can act -------------------------------------------------------------------------


class Refused(CloudctlError):
    """A rule says no; nothing was changed."""

    code = "refused"


class OverQuota(Refused):
    """A limit at some level of the tree leaves too little; `faults` names each level and kind."""

    code = "over_quota"


class NotAllowed(Refused):
    """The person has no role for this here."""

    code = "not_allowed"


class SecondPersonNeeded(Refused):
    """The act waits for another person; nobody may approve their own request."""

    code = "second_person_needed"


class ObserveOnly(Refused):
    """The database was brought back from a vault, and two people have not yet said that it may act."""

    code = "observe_only"


class Fenced(Refused):
    """A drill wanted to change something that is not the drill's own; nothing was changed."""

    code = "fenced"


class BadInput(CloudctlError):
    """A form or file has faults; all of them are in `faults`, and nothing was changed."""

    code = "bad_input"


class NotSignedIn(CloudctlError):
    """No valid session or token came with the call."""

    code = "not_signed_in"


class NotFound(CloudctlError):
    """Nothing by that id or name that the caller may see."""

    code = "not_found"


class Conflict(CloudctlError):
    """Somebody was faster, or what the caller saw is no longer so; look again."""

    code = "conflict"


class WrongState(Conflict):
    """The state table has no such move from here."""

    code = "wrong_state"


class StalePlan(Conflict):
    """The plan was made against something that has changed since."""

    code = "stale_plan"


class LeaseLost(Conflict):
    """Another worker holds the operation now; whatever this one wanted to write was not written."""

    code = "lease_lost"


# -- a cloud or store ---------------------------------------------------------------------------


class CloudUnavailable(CloudctlError):
    """The cloud did not answer, or said that it cannot just now; trying again may help."""

    code = "cloud_unavailable"
    retry = True


class CloudBusy(CloudUnavailable):
    """The cloud asked to slow down, or is still busy with the thing."""

    code = "cloud_busy"


class CloudRejected(CloudctlError):
    """The cloud refused the call for good; its reason and request id are in the message."""

    code = "cloud_rejected"


class CloudQuotaExceeded(CloudRejected):
    """The cloud's own quota was lower than what cloudctl had granted."""

    code = "cloud_quota_exceeded"


class CloudForbidden(CloudRejected):
    """The credential of the site lacks a right."""

    code = "cloud_forbidden"


class CloudNotFound(CloudRejected):
    """The cloud has nothing by that id."""

    code = "cloud_not_found"


class CloudConflict(CloudRejected):
    """The cloud has one by that name already, or the thing is in the wrong state there."""

    code = "cloud_conflict"


class ObjectMissing(CloudNotFound):
    """The bucket has no such object, or no such version of it."""

    code = "object_missing"


class ObjectLocked(CloudRejected):
    """The object may not be deleted or changed before its lock has run out."""

    code = "object_locked"


class VaultFull(CloudRejected):
    """The store has no room left for what was to be put into it."""

    code = "vault_full"


class BuildFailed(CloudRejected):
    """The cloud took the call and then put the thing into ERROR."""

    code = "build_failed"


class GuestNotReady(CloudUnavailable):
    """A server runs and cannot be reached inside, or a play failed there, where the site demands it."""

    code = "guest_not_ready"


class TimedOut(CloudctlError):
    """The deadline passed before the work was done."""

    code = "timed_out"


class WitnessUnavailable(CloudctlError):
    """No majority of the witness answers from here; who may write is not known."""

    code = "witness_unavailable"
    retry = True


class NameServiceUnavailable(CloudctlError):
    """The name service did not answer; trying again may help."""

    code = "name_service_unavailable"
    retry = True


class NameServiceRefused(CloudctlError):
    """The name service refused the change for good: its zone, the right or the key."""

    code = "name_service_refused"


class ApplicationUnavailable(CloudctlError):
    """An application did not answer as its users need it; trying again may help."""

    code = "application_unavailable"
    retry = True


class StorageUnavailable(CloudctlError):
    """The storage of a site did not answer; trying again may help."""

    code = "storage_unavailable"
    retry = True


class StorageBusy(StorageUnavailable):
    """The image is open, or what it waits for has not arrived from the other site yet."""

    code = "storage_busy"


class StorageRefused(CloudctlError):
    """The storage refused for good, for instance to promote a copy while the other site is primary."""

    code = "storage_refused"


class DatabaseRefused(CloudctlError):
    """The database of a system refused for good, for instance to follow one that it has left behind."""

    code = "database_refused"


class StoreUnavailable(CloudctlError):
    """The database or the queue did not answer."""

    code = "store_unavailable"
    retry = True


class Cancelled(CloudctlError):
    """Somebody with the right to do so cancelled the work; what it had made is undone."""

    code = "cancelled"


def restored(code: str, message: str, cloud_request_id: str | None = None) -> CloudctlError:
    """An error again from what was stored of it, so that what ends an operation is what first went wrong."""
    error = CloudctlError("{message}", message=message, cloud_request_id=cloud_request_id)
    error.code = code  # type: ignore[misc]  # of this one
    return error


class NotProved(CloudctlError):
    """A copy, point or restore is not what was captured; `faults` names every object and what is wrong."""

    code = "not_proved"


class SealBroken(NotProved):
    """Something sealed does not open: the key is another, or the bytes are not those that were sealed."""

    code = "seal_broken"


# -- the installation ---------------------------------------------------------------------------


class Misconfigured(CloudctlError):
    """The configuration cannot work; `faults` lists every reason."""

    code = "misconfigured"


class AuditBroken(CloudctlError):
    """The audit chain is not what was written; `faults` says where."""

    code = "audit_broken"
