"""Whatever is done to any object of a vault, at random: never silent, and never believed."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dr.points.healing import heal
from tests.point_scenes import HOME, Scene

ROUNDS = 16  # each object of the point twice
Harm = Callable[[Scene, random.Random, str], None]


def flip(scene: Scene, drawn: random.Random, key: str) -> None:
    body = bytearray(scene.vault.find(key).body)
    body[drawn.randrange(len(body))] ^= 1 << drawn.randrange(8)
    scene.vault.versions[key] = [replace(scene.vault.find(key), body=bytes(body))]


def cut(scene: Scene, drawn: random.Random, key: str) -> None:
    scene.vault.truncate(key, drawn.randrange(len(scene.vault.find(key).body)))


def drop(scene: Scene, _drawn: random.Random, key: str) -> None:
    scene.vault.drop(key)


def swap(scene: Scene, drawn: random.Random, key: str) -> None:
    scene.vault.swap(key, drawn.choice([other for other in scene.vault.keys() if other != key]))


def replay(scene: Scene, drawn: random.Random, key: str) -> None:
    """The bytes of another point's object, or of another object of this one."""
    body = scene.vault.find(drawn.choice([other for other in scene.vault.keys() if other != key])).body
    scene.vault.versions[key] = [replace(scene.vault.find(key), body=body)]


def cover(scene: Scene, drawn: random.Random, key: str) -> None:
    size = drawn.choice([0, 5, len(scene.vault.find(key).body)])
    scene.view().write.put(key, drawn.randbytes(size))


def hide(scene: Scene, _drawn: random.Random, key: str) -> None:
    scene.vault.remove(key, None)


def unlock(scene: Scene, drawn: random.Random, key: str) -> None:
    found = scene.vault.find(key)
    assert found.retain_until
    until = drawn.choice([None, found.retain_until - timedelta(days=drawn.randrange(1, 20))])
    scene.vault.versions[key] = [replace(found, retain_until=until)]


@pytest.mark.parametrize(
    "harm", [flip, cut, drop, swap, replay, cover, hide, unlock], ids=lambda f: f.__name__
)
def test_no_harm_is_silent_and_all_of_it_heals(tmp_path: Path, harm: Harm) -> None:
    scene = Scene(tmp_path)
    scene.made(1)
    head, manifest = scene.made(2)
    sound = {key: tuple(rows) for key, rows in scene.vault.versions.items()}
    own = [key for key in scene.vault.keys() if "p-2" in key]
    drawn = random.Random(harm.__name__)
    for number in range(ROUNDS):
        key = own[number % len(own)]
        harm(scene, drawn, key)
        named: list[str] = []
        for _ in range(3):  # what lies behind a broken head or manifest shows when that is healed
            judgement = scene.look(2)
            named += [fault.place for fault in (*judgement.faults, *judgement.notes)]
            if judgement.faults:
                assert judgement.level != "L1"
                natives = {0: scene.stores.native(HOME)}
                done = heal(judgement, head, manifest, scene.keys["p-2"], scene.view(), natives=natives)
                assert not done.left
        assert [place for place in named if place.startswith(key)], (key, named)
        assert scene.look(2).level == "L1"
        scene.vault.versions.clear()
        scene.vault.versions.update({key: list(rows) for key, rows in sound.items()})
