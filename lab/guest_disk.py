"""A disk image written without mounting it: master boot record, GRUB behind it, one partition with ext4."""

import struct
from pathlib import Path

from lab.commands import run

#: What the file system of the image holds; it grows to the size of the volume at the first boot.
IMAGE_MIB = 320
_SECTOR = 512
_PARTITION_START = 2048
_BOOT_CODE = Path("/usr/lib/grub/i386-pc/boot.img")
_GRUB_CFG = Path(__file__).parent / "templates" / "guest" / "grub.cfg"


def write(root: Path, image: Path, work: Path, log: Path) -> None:
    """Makes the image file of a disk that boots from BIOS, with the tree below `root` in it."""
    grub = work / "grub"
    run(["grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", str(_GRUB_CFG), "-o", str(grub),
         "biosdisk", "part_msdos", "ext2", "linux"], log=log)  # fmt: skip
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_MIB << 20)
    offset = _PARTITION_START * _SECTOR
    blocks = ((IMAGE_MIB << 20) - offset) // 4096
    # GRUB 2.06 reads neither of the two features that are turned off.
    run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^metadata_csum_seed,^orphan_file", "-m", "1",
         "-J", "size=8", "-L", "root", "-E", f"offset={offset},lazy_itable_init=0", "-d", str(root),
         str(image), str(blocks)], log=log)  # fmt: skip
    with image.open("r+b") as file:
        file.write(_BOOT_CODE.read_bytes()[:440])
        file.seek(446)
        file.write(partition_table())
        file.seek(_SECTOR)
        file.write(grub.read_bytes())


def partition_table() -> bytes:
    """One bootable Linux partition that claims all a table can name: Linux cuts it to the disk it is on.

    So a volume of any size has its whole room in it, and nothing has to be changed when it is larger.
    """
    everything = 2**32 - 1 - _PARTITION_START
    entry = struct.pack(
        "<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", _PARTITION_START, everything
    )
    return entry + bytes(48) + b"\x55\xaa"
