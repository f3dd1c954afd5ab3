"""What can happen to a copy: each is noticed, named, and healed while another vault or the source has it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.envelopes import DataKey, seal
from cloudctl.errors import CloudUnavailable
from cloudctl.escrow import EscrowKey
from cloudctl.ports import Purpose
from cloudctl.secrets import Signer
from dr.points.checking import check
from dr.points.head import head_key, manifest_key
from dr.points.healing import Healed, heal
from dr.points.manifest import piece_context
from tests.point_scenes import HOME, Scene, codes, content

LAST = 6  # pieces of the point


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.made()
    return scene


@dataclass(frozen=True)
class Harm:
    """Something done to the vault behind everybody's back, and how it must be called."""

    name: str
    do: Callable[[Scene], None]
    code: str
    level: str | None  # that is left
    keys: tuple[int, ...]  # pieces that are named


def _older_sealing(scene: Scene) -> None:
    """A first run sealed other bytes of the same object, and the store went back to that."""
    old = seal(
        scene.keys["p-1"], piece_context("gx", "p-1", 2), scene.native.find(f"{scene.prefix(1)}-00001").body
    )
    found = scene.vault.find(scene.key(2))
    size = len(found.body)
    sealed = old.body if len(old.body) == size else seal(
        scene.keys["p-1"], piece_context("gx", "p-1", 2), b"o" * (size - 32 - 16)
    ).body  # fmt: skip
    scene.vault.versions[scene.key(2)] = [replace(found, body=sealed)]


def _duplicate(scene: Scene) -> None:
    body = scene.vault.find(scene.key(1)).body
    scene.vault.versions[scene.key(2)] = [replace(scene.vault.find(scene.key(2)), body=body)]


def _shorten_lock(scene: Scene) -> None:
    found = scene.vault.find(scene.key(2))
    assert found.retain_until
    changed = replace(found, retain_until=found.retain_until - timedelta(seconds=1))
    scene.vault.versions[scene.key(2)] = [changed]


def _unlock(scene: Scene) -> None:
    changed = replace(scene.vault.find(scene.key(2)), retain_until=None)
    scene.vault.versions[scene.key(2)] = [changed]


def _grow(scene: Scene) -> None:
    found = scene.vault.find(scene.key(2))
    scene.vault.versions[scene.key(2)] = [replace(found, body=found.body + b"x")]


HARMS = [
    Harm("missing", lambda s: s.vault.drop(s.key(2)), "missing", None, (2,)),
    Harm("one flipped bit", lambda s: s.vault.flip_bit(s.key(2), 4321), "flipped", "L0", (2,)),
    Harm("flipped in the header", lambda s: s.vault.flip_bit(s.key(2), 20), "flipped", "L0", (2,)),
    Harm("flipped hashes", lambda s: s.vault.flip_bit(s.key(LAST - 1), 99), "flipped", "L0", (LAST - 1,)),
    Harm("truncated", lambda s: s.vault.truncate(s.key(2), 1000), "truncated", None, (2,)),
    Harm("emptied", lambda s: s.vault.truncate(s.key(2), 0), "truncated", None, (2,)),
    Harm("grown", _grow, "altered", None, (2,)),
    Harm("swapped", lambda s: s.vault.swap(s.key(1), s.key(2)), "swapped", "L0", (1, 2)),
    Harm("duplicated", _duplicate, "duplicated", "L0", (2,)),
    Harm("rolled back", _older_sealing, "rolled_back", "L0", (2,)),
    Harm("lock shortened", _shorten_lock, "lock_short", None, (2,)),
    Harm("lock gone", _unlock, "lock_short", None, (2,)),
]


def healed(scene: Scene, number: int = 1, **more: object) -> Healed:
    judgement = scene.look(number)
    head = scene.heads[number - 1]
    manifest = judgement.manifest or scene.look(number, site="city-2").manifest
    assert manifest
    given = {"natives": {0: scene.stores.native(HOME)}, **more}
    return heal(judgement, head, manifest, scene.keys[f"p-{number}"], scene.view(), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.name)
def test_harm_is_noticed_named_and_healed_from_the_source(scene: Scene, harm: Harm) -> None:
    assert scene.look().level == "L1"
    harm.do(scene)
    judgement = scene.look()
    assert {(fault.place, fault.code) for fault in judgement.faults} == {
        (scene.key(number), harm.code) for number in harm.keys
    }
    assert judgement.level == harm.level
    assert set(judgement.broken) == {scene.key(number) for number in harm.keys}
    assert healed(scene) == Healed(judgement.broken, ())
    again = scene.look()
    assert (again.level, again.faults) == ("L1", ())


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.name)
def test_harm_is_healed_from_another_vault_when_the_source_is_gone(scene: Scene, harm: Harm) -> None:
    draft = scene.draft(1, scene.back_up(1, content(1)))
    other = Scene.copy(scene, replace(draft, keys=scene.heads[0].keys, previous=None), "city-2")
    assert other.head == scene.heads[0]
    harm.do(scene)
    scene.native.versions.clear()
    done = healed(scene, others=[scene.stores.vault("city-2", Purpose.READ)], natives={})
    assert not done.left
    assert scene.look().level == "L1"


def test_what_nobody_has_any_more_is_lost_and_what_does_not_answer_is_not(scene: Scene) -> None:
    scene.vault.drop(scene.key(2))
    scene.native.is_cut_off = True
    assert codes(healed(scene).left) == {"unreachable"}
    scene.native.is_cut_off = False
    scene.native.flip_bit(f"{scene.prefix(1)}-00002", 7)  # the source is no longer what was copied
    done = healed(scene)
    assert (done.keys, codes(done.left)) == ((), {"lost"})
    assert scene.look().faults[0].code == "missing"


def test_a_vault_that_does_not_take_what_is_healed_says_so(scene: Scene) -> None:
    scene.vault.drop(scene.key(2))
    scene.vault.fail("put", nth=1, error=CloudUnavailable("503"))
    with pytest.raises(CloudUnavailable):
        healed(scene)


def test_at_l0_nothing_is_read_and_a_flipped_bit_stays_unseen(scene: Scene) -> None:
    scene.vault.flip_bit(scene.key(2), 4321)
    before = scene.vault.count("read")
    judgement = scene.look(level="L0")
    assert (judgement.level, judgement.faults) == ("L0", ())
    assert scene.vault.count("read") - before == 2  # head and manifest
    scene.vault.truncate(scene.key(3), 10)
    assert codes(scene.look(level="L0").faults) == {"truncated"}


def test_several_faults_are_all_named_at_once(scene: Scene) -> None:
    scene.vault.drop(scene.key(1))
    scene.vault.flip_bit(scene.key(2), 100)
    scene.vault.truncate(scene.key(3), 500)
    found = {(fault.place, fault.code) for fault in scene.look().faults}
    assert found == {
        (scene.key(1), "missing"),
        (scene.key(2), "flipped"),
        (scene.key(3), "truncated"),
    }


def test_a_foreign_version_on_top_or_a_delete_marker_changes_nothing_and_is_noted(scene: Scene) -> None:
    store = scene.view().write
    store.put(scene.key(1), b"garbage")
    scene.vault.remove(scene.key(2), None)
    scene.vault.remove(manifest_key(scene.heads[0]), None)
    judgement = scene.look()
    assert (judgement.level, judgement.faults) == ("L1", ())
    noted = {(note.place.rpartition("/")[2], note.code) for note in judgement.notes}
    assert noted == {("00001", "covered"), ("00002", "hidden"), ("manifest", "hidden")}


def test_garbage_of_the_same_size_on_top_is_seen_through(scene: Scene) -> None:
    store, size = scene.view().write, len(scene.vault.find(scene.key(2)).body)
    for letter in "abc":
        store.put(scene.key(2), letter.encode() * size)
    assert (scene.look().level, codes(scene.look().notes)) == ("L1", {"covered"})


def test_an_object_that_belongs_to_none_is_noted(scene: Scene) -> None:
    scene.vault.duplicate(scene.key(1), scene.key(77))
    judgement = scene.look()
    assert judgement.level == "L1"
    assert [(note.place, note.code) for note in judgement.notes] == [(scene.key(77), "foreign")]


def test_a_lost_or_flipped_manifest_is_named_and_healed(scene: Scene) -> None:
    manifest = scene.look().manifest
    assert manifest
    place = manifest_key(scene.heads[0])
    for harm, code in (
        (lambda: scene.vault.drop(place), "missing"),
        (lambda: scene.vault.flip_bit(place, 60), "flipped"),
    ):
        harm()
        judgement = scene.look()
        assert [(fault.place, fault.code) for fault in judgement.faults] == [(place, code)]
        assert judgement.level is None
        heal(judgement, scene.heads[0], manifest, scene.keys["p-1"], scene.view())
        assert scene.look().level == "L1"


def test_a_head_that_is_gone_flipped_or_signed_by_another_is_named_and_healed(
    scene: Scene, tmp_path: Path
) -> None:
    manifest, head = scene.look().manifest, scene.heads[0]
    assert manifest
    place = head_key(head)
    Signer.make_key(tmp_path / "strange.key")
    forged = replace(head, consistency="quiesced").body()
    strange = head.signed(Signer(tmp_path / "strange.key")).body()

    def lay(body: bytes) -> None:
        scene.vault.versions[place] = [replace(scene.vault.find(place), body=body)]

    for harm, code in (
        (lambda: lay(forged), "forged"),
        (lambda: lay(strange), "other_signer"),
        (lambda: lay(b"{"), "no_json"),
        (lambda: lay(replace(head, sequence=7).signed(scene.signer).body()), "replayed"),
        (lambda: scene.vault.drop(place), "missing"),
    ):
        harm()
        judgement = scene.look()
        assert [(fault.place, fault.code) for fault in judgement.faults] == [(place, code)]
        assert (judgement.level, judgement.broken) == (None, (place,))
        heal(judgement, head, manifest, scene.keys["p-1"], scene.view())
        assert scene.look().level == "L1"


def test_an_older_head_put_back_in_place_is_not_the_one_that_was_put(scene: Scene) -> None:
    head = scene.heads[0]
    other = replace(head, consistency="quiesced").signed(scene.signer)
    place = head_key(head)
    scene.vault.versions[place] = [replace(scene.vault.find(place), body=other.body())]
    assert codes(scene.look(expected_head_sha256=head.sha256).faults) == {"replayed"}


def test_a_wrong_key_is_named(scene: Scene, tmp_path: Path) -> None:
    other = EscrowKey.make(tmp_path / "o.key", "gx", "city-2", scene.trusted, FrozenClock().now())
    for key in (other, DataKey.new()):
        judgement = check(
            scene.view().read, head_key(scene.heads[0]), scene.trusted, key, now=scene.clock.now()
        )
        assert codes(judgement.faults) == {"wrong_key"}
        assert judgement.level is None
        assert not judgement.broken


def test_without_a_key_head_manifest_and_number_of_objects_are_looked_at(scene: Scene) -> None:
    def look() -> set[str]:
        found = check(scene.view().read, head_key(scene.heads[0]), scene.trusted, None, now=scene.clock.now())
        return codes(found.faults)

    assert look() == set()
    scene.vault.drop(scene.key(3))
    assert look() == {"missing"}


def test_in_turns_every_object_is_read_once(scene: Scene) -> None:
    scene.vault.flip_bit(scene.key(2), 100)
    found = [codes(scene.look(rotation=(turn, 3)).faults) for turn in range(3)]
    assert found == [set(), set(), {"flipped"}]
    assert scene.look(rotation=(0, 3)).level == "L0"


def test_a_check_that_is_stopped_says_nothing(scene: Scene) -> None:
    judgement = scene.look(stop=lambda: True)
    assert (judgement.is_complete, judgement.level) == (False, None)


def test_a_lock_that_has_run_out_as_promised_is_no_fault(scene: Scene) -> None:
    scene.clock.advance(31 * 86_400)
    assert scene.look().level == "L1"


def test_what_is_harmed_after_its_lock_has_run_out_is_healed_without_one(scene: Scene) -> None:
    scene.clock.advance(31 * 86_400)
    scene.vault.flip_bit(scene.key(2), 4321)
    broken = scene.look().broken
    assert healed(scene) == Healed(broken, ())
    assert (scene.look().level, scene.look().faults) == ("L1", ())
    assert scene.vault.find(scene.key(2)).retain_until is None


def test_a_source_that_was_wrong_from_the_start_is_told_from_a_bad_copy(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    part = scene.back_up(1, content(1))
    scene.native.flip_bit(f"{scene.prefix(1)}-00001", 5)  # this object is not compressed
    scene.heads.append(scene.copy(scene.draft(1, part)).head)  # type: ignore[arg-type]
    judgement = scene.look()
    assert {(fault.place, fault.code) for fault in judgement.faults} == {
        (scene.key(1), "md5_differs"),
        (scene.key(1), "block_differs"),
    }
    assert judgement.level == "L0"
    assert not judgement.broken  # putting it again would not help
