"""What is judged of replicated parts, from values alone: whether the newest point still tells them right."""

import pytest

from cloudctl.amounts import Amounts
from cloudctl.ports import Named
from dr.plans import likeness
from dr.plans.document import Part, Way
from dr.plans.known import Portrait, ServerFacts, VolumeFacts
from dr.ways.pairs import rehearsal_type

PARTS = (Part("db", ("vm-db",), way=Way.REPLICATION),)
VOLUME = VolumeFacts("vm-db", "vm-db-id", 10, "pairs")
NOW = ServerFacts("vm-db-r5", "database", "gov.medium", "government", "debian-12", (), (VOLUME,), Amounts())


def _portrait(*volumes: str) -> Portrait:
    return Portrait({"vm-db-r4": frozenset(volumes)}, {"vm-db-r4": "database"})


@pytest.mark.parametrize(
    ("portrait", "code", "named"),
    [
        (None, ["no_point"], "recovery point"),
        (_portrait("vm-db-id"), [], ""),
        (_portrait("vm-db-id", "gone-id"), ["volumes_changed"], "gone-id"),
        (_portrait(), ["volumes_changed"], "vm-db"),
    ],
)
def test_replicated_parts_are_found_by_what_the_newest_point_tells(
    portrait: Portrait | None, code: list[str], named: str
) -> None:
    found = likeness.faults("budget", PARTS, portrait, (NOW,))
    assert [one.code for one in found] == code
    assert named in "".join(one.text() for one in found)
    assert likeness.faults("budget", (Part("db", ("vm-db",)),), None, ()) == [], "nothing is replicated"


def test_copies_for_a_drill_are_of_a_type_beside_that_is_not_replicated() -> None:
    def kind(name: str, backend: str, *, is_replicated: bool = False) -> Named:
        return Named(f"{name}-id", name, {"backend": backend, "is_replicated": is_replicated})

    pairs, beside = kind("pairs", "one", is_replicated=True), kind("beside", "one")
    assert rehearsal_type([pairs, kind("aside", "two"), beside], "pairs") == "beside"
    assert rehearsal_type([pairs, kind("aside", "two")], "pairs-id") is None
    assert rehearsal_type([pairs, beside], "beside") == "beside"
    assert rehearsal_type([], "unknown") == "unknown"
