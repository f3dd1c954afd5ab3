"""What the command line answers when something went wrong: the exit code, and the lines on stderr."""

from dataclasses import dataclass

from cloudctl.errors import CloudctlError

DONE = 0
FAILED = 1
HAS_CHANGES = 2  # `topology plan`
REFUSED = 3
NOT_FOUND = 4
UNAVAILABLE = 5
SECOND_PERSON = 6
CONFLICT = 7
USAGE = 64

BY_CODE = {
    "refused": REFUSED,
    "over_quota": REFUSED,
    "not_allowed": REFUSED,
    "observe_only": REFUSED,
    "not_found": NOT_FOUND,
    "cloud_unavailable": UNAVAILABLE,
    "cloud_busy": UNAVAILABLE,
    "guest_not_ready": UNAVAILABLE,
    "store_unavailable": UNAVAILABLE,
    "name_service_unavailable": UNAVAILABLE,
    "witness_unavailable": UNAVAILABLE,
    "application_unavailable": UNAVAILABLE,
    "storage_unavailable": UNAVAILABLE,
    "storage_busy": UNAVAILABLE,
    "server_unavailable": UNAVAILABLE,
    "second_person_needed": SECOND_PERSON,
    "conflict": CONFLICT,
    "wrong_state": CONFLICT,
    "stale_plan": CONFLICT,
    "lease_lost": CONFLICT,
    "bad_input": USAGE,
    "bad_usage": USAGE,
}

MEANING = {
    DONE: "done",
    FAILED: "failed, for a reason no other code names",
    HAS_CHANGES: "`topology plan` found changes",
    REFUSED: "refused by a rule, a quota or a missing role",
    NOT_FOUND: "there is nothing by that id or name",
    UNAVAILABLE: "a cloud, the database or the server does not answer; trying again may help",
    SECOND_PERSON: "waits for a second person",
    CONFLICT: "stale or in conflict: look again",
    USAGE: "the command line, a form or a file has faults",
}


@dataclass(eq=False)
class Complaint(Exception):
    """Something went wrong, as the command line tells it; whether it came from here or from the server."""

    code: str
    message: str
    faults: tuple[str, ...] = ()
    request_id: str | None = None
    fault_codes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return BY_CODE.get(self.code, FAILED)

    def lines(self) -> list[str]:
        """One line with code and message, then one line for each fault."""
        return [f"{self.code}: {self.message}", *(f"  {fault}" for fault in self.faults)]


def complaint_of(error: CloudctlError) -> Complaint:
    """An error raised in this process, told like one of the server's."""
    return Complaint(error.code, error.text(), tuple(str(fault) for fault in error.faults))


def bad_usage(message: str, *faults: str) -> Complaint:
    """What was typed cannot be meant."""
    return Complaint("bad_usage", message, faults)
