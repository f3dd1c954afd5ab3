"""What a sync decides, on plain values."""

from dataclasses import replace

from cloudctl.amounts import Amounts, Kind
from cloudctl.lifecycle import ResourceState as State
from cloudctl.ports import TAG_INSTALLATION, TAG_REQUEST, TAG_RESOURCE
from provisioning.comparison import Comparison, Known, There, compare

OURS = {TAG_INSTALLATION: "here", TAG_REQUEST: "7", TAG_RESOURCE: "r1"}
SMALL = Amounts({Kind.INSTANCES: 1, Kind.VCPUS: 1, Kind.RAM_MIB: 1024})
LARGE = Amounts({Kind.INSTANCES: 1, Kind.VCPUS: 4, Kind.RAM_MIB: 8192})
ROW = Known(
    "r1", "server", "vm1", "ext-1", State.ACTIVE, project="p1", request_id=7,
    spec={"flavor": "gov.small"}, amounts=SMALL,
)  # fmt: skip
VM = There("server", "ext-1", "vm1", "p1", OURS, "ACTIVE", SMALL, {"flavor": "gov.small"})


def compared(known: list[Known], there: list[There], busy: frozenset[int] = frozenset()) -> Comparison:
    return compare("here", known, there, busy, frozenset({"p1"}))


def test_what_is_as_recorded_moves_nothing() -> None:
    found = compared([ROW], [VM])
    assert found.seen == {"r1"}
    assert (found.moves, found.drifts, found.orphans, found.foreign) == ({}, (), (), ())


def test_what_is_gone_is_missing_and_what_is_back_is_active_again() -> None:
    assert compared([ROW], []).moves == {"r1": (State.ACTIVE, State.MISSING)}
    missing = replace(ROW, state=State.MISSING)
    assert compared([missing], []).moves == {}
    assert compared([missing], [VM]).moves == {"r1": (State.MISSING, State.ACTIVE)}


def test_a_broken_server_is_in_error_until_it_is_well_again() -> None:
    broken = replace(VM, status="ERROR")
    assert compared([ROW], [broken]).moves == {"r1": (State.ACTIVE, State.ERROR)}
    assert compared([replace(ROW, state=State.ERROR)], [VM]).moves == {"r1": (State.ERROR, State.ACTIVE)}


def test_ours_on_no_row_is_an_orphan_and_anybody_elses_is_foreign() -> None:
    stray = replace(VM, external_id="ext-9", tags={**OURS, TAG_RESOURCE: "unknown"})
    other = replace(VM, external_id="ext-8", tags={TAG_INSTALLATION: "another"})
    elsewhere = replace(VM, external_id="ext-7", tags={}, project="p2")
    found = compared([ROW], [VM, stray, other, elsewhere])
    assert found.orphans == (stray,)
    assert found.foreign == (other, elsewhere)
    assert found.foreign_inside == (other,)


def test_a_row_that_never_learned_its_id_is_found_by_its_tag() -> None:
    nameless = replace(ROW, external_id=None, state=State.MISSING)
    found = compared([nameless], [VM])
    assert found.seen == {"r1"}
    assert found.orphans == ()


def test_the_tag_of_another_installation_claims_nothing() -> None:
    theirs = replace(VM, external_id="ext-5", tags={**OURS, TAG_INSTALLATION: "another"})
    found = compared([replace(ROW, external_id=None)], [theirs])
    assert found.foreign == (theirs,)


def test_what_was_released_and_is_still_there_is_an_orphan_of_its_own_row() -> None:
    found = compared([replace(ROW, state=State.RELEASED)], [VM])
    assert found.revenants == {"r1": VM}
    assert found.orphans == ()
    just_released = replace(ROW, state=State.RELEASED, is_still=False)
    assert compared([just_released], [VM]).revenants == {}


def test_an_orphan_that_somebody_removed_is_released() -> None:
    orphan = replace(ROW, state=State.ORPHANED)
    assert compared([orphan], [VM]).moves == {}
    assert compared([orphan], []).moves == {"r1": (State.ORPHANED, State.RELEASED)}


def test_what_an_open_operation_works_on_is_left_to_it() -> None:
    stray = replace(VM, external_id="ext-9", tags={**OURS, TAG_RESOURCE: "unknown"})
    found = compared([ROW], [stray], busy=frozenset({7}))
    assert (found.moves, found.orphans) == ({}, ())
    for state in (State.INTENDED, State.BUILDING, State.RELEASING):
        assert compared([replace(ROW, state=state)], []).moves == {}
    assert compared([replace(ROW, is_still=False)], []).moves == {}


def test_drift_says_what_changed_and_how_that_can_be() -> None:
    resized = replace(VM, facts={"flavor": "gov.large"}, amounts=LARGE)
    found = compared([ROW], [resized])
    assert [(d.what, d.was, d.is_now, d.cause) for d in found.drifts] == [
        ("flavor", "gov.small", "gov.large", "resized outside cloudctl")
    ]
    assert found.recounted == {"r1": LARGE}

    volume = Known("v1", "volume", "disk", "ext-v", State.ACTIVE, spec={"size_gib": 10, "type": "standard"})
    grown = There("volume", "ext-v", "disk", "p1", OURS, "in-use", Amounts(), {"size_gib": 20, "type": "ssd"})
    causes = {d.what: d.cause for d in compared([volume], [grown]).drifts}
    assert causes == {"size_gib": "extended outside cloudctl", "type": "retyped outside cloudctl"}


def test_a_flavor_that_was_itself_changed_a_transfer_and_lost_tags_are_drift() -> None:
    fatter = replace(VM, amounts=LARGE)
    moved = replace(VM, project="p2")
    bare = replace(VM, tags={})
    assert [d.what for d in compared([ROW], [fatter]).drifts] == ["amounts"]
    assert [d.what for d in compared([ROW], [moved]).drifts] == ["project"]
    assert [d.what for d in compared([ROW], [bare]).drifts] == ["tags"]
    assert compared([replace(ROW, origin="adopted")], [bare]).drifts == ()


def test_a_server_in_a_cell_that_is_down_is_there_and_nothing_is_said_of_it() -> None:
    untold = There("server", "ext-1", "", "p1", {}, "UNKNOWN", Amounts(), {"flavor": ""})
    found = compared([ROW], [untold])
    assert found.seen == {"r1"}
    assert (found.moves, found.drifts, found.recounted) == ({}, (), {})
