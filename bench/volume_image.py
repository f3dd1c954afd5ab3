"""A seeded image in a file and in a volume of the lab: a quarter zeros, a quarter random, half text.

    /usr/bin/python3 bench/volume_image.py write|sha256 CEPH_CONF RBD_IMAGE FILE   < ranges as JSON

As a program it is run by the machine's own Python, which has Ceph's bindings: `write` copies the ranges of
the file into the volume, `sha256` prints the hash of all its bytes.
"""

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

MIB = 1 << 20
BLOCK_BYTES = 64 << 10  # what changes at once; as great as a block of the lab's cinder-backup
PYTHON = "/usr/bin/python3"
Ranges = list[tuple[int, int]]  # offset, length


def make(file: Path, mib: int, seed: int = 20261126, stretch_mib: int = 1) -> Ranges:
    """Write the image in stretches of so many MiB; the ranges that are not zeros. No two are alike."""
    drawn = random.Random(seed)
    ranges = []
    with file.open("wb") as out:
        out.truncate(mib * MIB)
        for number in range(mib):
            kind = number // stretch_mib % 4
            if kind == 0:
                continue
            out.seek(number * MIB)
            out.write(drawn.randbytes(MIB) if kind == 1 else _text(drawn, MIB))
            ranges.append((number * MIB, MIB))
    return ranges


def scatter(file: Path, per_cent: float, seed: int, within: tuple[int, int] | None = None) -> Ranges:
    """Change so much of the image, in blocks anywhere in it or in a range of bytes; their ranges."""
    drawn = random.Random(seed)
    first, last = (offset // BLOCK_BYTES for offset in within or (0, file.stat().st_size))
    ranges = []
    with file.open("r+b") as out:
        for number in sorted(drawn.sample(range(first, last), round((last - first) * per_cent / 100))):
            out.seek(number * BLOCK_BYTES)
            out.write(_text(drawn, BLOCK_BYTES))
            ranges.append((number * BLOCK_BYTES, BLOCK_BYTES))
    return ranges


def _text(drawn: random.Random, size: int) -> bytes:
    """Numbers as a log has them; zlib halves it."""
    return drawn.randbytes(size // 2).hex().encode()


def lay(ceph_conf: Path, volume_id: str, file: Path, ranges: Ranges) -> None:
    """Copy these ranges of the file into the volume."""
    _run("write", ceph_conf, volume_id, file, json.dumps(ranges))


def digest(ceph_conf: Path, volume_id: str, file: Path) -> str:
    """The SHA-256 of so many bytes of the volume as the file has."""
    return _run("sha256", ceph_conf, volume_id, file, "")


def digest_of(file: Path) -> str:
    """The SHA-256 of the file."""
    with file.open("rb") as body:
        return hashlib.file_digest(body, "sha256").hexdigest()


def _run(what: str, ceph_conf: Path, volume_id: str, file: Path, text: str) -> str:
    command = [PYTHON, __file__, what, str(ceph_conf), f"volume-{volume_id}", str(file)]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return done.stdout.strip()


def main(what: str, ceph_conf: str, name: str, file: str) -> None:
    """Read or write the volume."""
    import rados  # type: ignore[import-not-found,unused-ignore]  # of the machine's own Python
    import rbd  # type: ignore[import-not-found,unused-ignore]

    with rados.Rados(conffile=ceph_conf, rados_id="cinder") as cluster, cluster.open_ioctx("volumes") as pool:
        with rbd.Image(pool, name, read_only=what != "write") as volume, Path(file).open("rb") as body:
            if what == "write":
                _write(volume, body, json.load(sys.stdin))
            else:
                print(_hash(volume, Path(file).stat().st_size))


def _write(volume: Any, body: Any, ranges: Ranges) -> None:
    for offset, length in ranges:
        body.seek(offset)
        volume.write(body.read(length), offset)
    volume.flush()


def _hash(volume: Any, size: int) -> str:
    found = hashlib.sha256()
    for offset in range(0, size, 4 * MIB):
        found.update(volume.read(offset, min(4 * MIB, size - offset)))
    return found.hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:5])
