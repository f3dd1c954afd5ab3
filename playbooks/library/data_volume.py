#!/usr/bin/python3
"""Ansible module: one data volume mounted where it belongs; a disk with anything on it is never formatted.

A volume of the cloud is known by its serial number, which is the beginning of its id. A disk counts as blank
only when no tool knows a signature on it and every byte that was looked at is zero: its beginning, its end
and samples between.
"""

from __future__ import annotations

import glob
import os
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: data_volume
short_description: Mount a data volume by its id, and make its file system when it is blank and new
options:
  id: {type: str, required: true, description: "The volume's id in the cloud."}
  path: {type: path, required: true, description: "Where it is mounted, unless it is mounted elsewhere."}
  label: {type: str, required: true, description: "Label of a new file system; 16 characters at most."}
  is_new: {type: bool, default: false, description: "Whether a file system may be made on it."}
  fstype: {type: str, default: ext4}
"""

EDGE_BYTES = 16 << 20
SAMPLES, SAMPLE_BYTES = 512, 64 << 10
SERIAL_CHARACTERS = 20  # of the id; virtio has room for no more
SYS, DEV = "/sys/block", "/dev"
FSTAB = "/etc/fstab"


class Refusal(Exception):
    """Why the disk is left as it is."""


def run(*command: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def find_disk(volume_id: str) -> str:
    """The name of the disk whose serial, or page of names, carries the id."""
    for place in sorted(glob.glob(f"{SYS}/*")):
        for page in ("serial", "device/serial", "device/vpd_pg80", "device/vpd_pg83"):
            try:
                with open(f"{place}/{page}", "rb") as file:
                    said = file.read().strip(b"\0\n ")
            except OSError:
                continue
            if said == volume_id[:SERIAL_CHARACTERS].encode() or volume_id.encode() in said:
                return os.path.basename(place)
    raise Refusal(f"no disk has the serial {volume_id[:SERIAL_CHARACTERS]}")


def mounted_at(device: str) -> str | None:
    """Where the device is mounted."""
    wanted = os.stat(device).st_rdev
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        rows = [line.split(" ") for line in file]
    place = f"{os.major(wanted)}:{os.minor(wanted)}"
    return next((row[4].replace("\\040", " ") for row in rows if row[2] == place), None)


def contents(device: str) -> dict[str, str]:
    """What blkid finds by looking at the disk; empty when nothing is known there."""
    status, said = run("blkid", "-p", "-o", "export", device)
    if status not in (0, 2):
        raise Refusal(f"{device}: {said or 'holds more than one thing'}")
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def is_blank(device: str) -> bool:
    """Whether beginning, end and samples between are zeros."""
    descriptor = os.open(device, os.O_RDONLY)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        step = max(size // SAMPLES, SAMPLE_BYTES)
        pieces = [(0, EDGE_BYTES), (max(0, size - EDGE_BYTES), EDGE_BYTES)]
        pieces += [(offset, SAMPLE_BYTES) for offset in range(0, size, step)]
        for offset, length in pieces:
            for at in range(offset, min(offset + length, size), 1 << 20):
                read = os.pread(descriptor, min(1 << 20, offset + length - at), at)
                if read.strip(b"\0"):
                    return False
        return True
    finally:
        os.close(descriptor)


def fstab_with(text: str, uuid: str, path: str, fstype: str) -> str:
    """The table with a line for the file system; one that it has stays as it is."""
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == [f"UUID={uuid}"]:
            return text
        if len(fields) > 1 and not line.lstrip().startswith("#") and fields[1] == path:
            raise Refusal(f"{FSTAB} mounts something else at {path}")
    text = text if not text or text.endswith("\n") else text + "\n"
    return f"{text}UUID={uuid} {path} {fstype} defaults,noatime,nofail 0 2\n"


def decide(name: str, there: dict[str, str], is_new: bool, blank: bool | None) -> bool:
    """Whether a file system is to be made. Refusal when the disk is neither usable nor blank and new."""
    if there.get("USAGE") == "filesystem":
        return False
    if there:
        what = there.get("TYPE") or f"{there.get('PTTYPE', 'unknown')} partition table"
        raise Refusal(f"{name} holds something ({what}); it is left as it is")
    if not is_new:
        raise Refusal(f"{name} has no file system, and was not said to be new; it is left as it is")
    if not blank:
        raise Refusal(f"{name} holds data of an unknown kind; it is left as it is")
    return True


def bring(params: dict, is_check: bool) -> dict:
    """The volume, mounted; what was done and where it is."""
    name = find_disk(params["id"])
    device, path, done = f"{DEV}/{name}", params["path"], []
    at = mounted_at(device)
    if at is not None:
        return {"changed": False, "device": device, "path": at, "done": done}
    if glob.glob(f"{SYS}/{name}/{name}[0-9p]*"):
        raise Refusal(f"{name} has partitions; it is left as it is")
    there = contents(device)
    if os.path.ismount(path):
        raise Refusal(f"something else is mounted at {path}")
    if os.path.isdir(path) and os.listdir(path):
        raise Refusal(f"{path} has files, which the volume would hide")
    is_maker = decide(name, there, params["is_new"], None if there else is_blank(device))
    done = [*(["formatted"] if is_maker else []), "mounted"]
    if is_check:
        return {"changed": True, "device": device, "path": path, "done": done}
    if is_maker:
        must(f"mkfs.{params['fstype']}", "-q", "-L", params["label"][:16], device)
        there = contents(device)
    with open(FSTAB, encoding="utf-8") as file:
        text = file.read()
    new = fstab_with(text, there["UUID"], path, there["TYPE"])
    if new != text:
        with open(f"{FSTAB}.cloudctl", "w", encoding="utf-8") as file:
            file.write(new)
        os.chmod(file.name, 0o644)
        os.replace(file.name, FSTAB)
    os.makedirs(path, mode=0o755, exist_ok=True)
    must("mount", "-t", there["TYPE"], "-o", "noatime", device, path)
    return {"changed": True, "device": device, "path": path, "done": done}


def must(*command: str) -> None:
    """Refusal with what the program said when it fails."""
    status, said = run(*command)
    if status != 0:
        raise Refusal(f"{command[0]}: {said}")


def main() -> None:
    """What Ansible calls."""
    module = AnsibleModule(
        argument_spec={
            "id": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "label": {"type": "str", "required": True},
            "is_new": {"type": "bool", "default": False},
            "fstype": {"type": "str", "default": "ext4"},
        },
        supports_check_mode=True,
    )
    try:
        told = bring(module.params, module.check_mode)
    except Refusal as refusal:
        module.fail_json(msg=str(refusal))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or ''}: {error.strerror}")
    module.exit_json(**told)


if __name__ == "__main__":
    main()
