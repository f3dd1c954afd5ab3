"""How the storage of each site is reached, out of storage.yaml; all faults at once.

    storage:
      city-1:                                    # the id of the site
        conf: /etc/ceph/city-1.conf
        keyring: /etc/ceph/city-1.client.cloudctl.keyring
        user: cloudctl                           # client.cloudctl
        pool: replicated                         # where Cinder keeps the volumes that are copied

The user needs, at each site, `mon 'profile rbd'` and `osd 'profile rbd pool=POOL'`, and nothing more. No key
is in the file itself; the keyring must be closed to others.
"""

from pathlib import Path
from typing import Any

from cloudctl.errors import Fault, Misconfigured
from provisioning.drivers.key_file import NotReadError, open_to_others, read_document
from provisioning.drivers.rbd_command import RbdAccess

_WORDS = ("conf", "keyring", "user", "pool")
_DEFAULTS = {"user": "cloudctl"}


def read_storage(path: Path) -> dict[str, RbdAccess]:
    """The file, checked; Misconfigured names every fault. Without a file no site copies volumes."""
    if not path.exists():
        return {}
    try:
        document = read_document(path, hint="write one entry for each site")
    except NotReadError as error:
        raise Misconfigured("storage.yaml cannot be read", faults=[error.fault]) from error
    faults: list[Fault] = []
    rows = document.get("storage") if isinstance(document, dict) else None
    if not isinstance(rows, dict) or not rows:
        faults.append(
            Fault(f"{path}: storage", "missing", "is missing", hint="write one entry for each site")
        )
        rows = {}
    found = {str(site): _site(path, str(site), row, faults) for site, row in rows.items()}
    if faults:
        raise Misconfigured("storage.yaml has faults", faults=faults)
    return {site: one for site, one in found.items() if one is not None}


def _site(path: Path, site: str, row: Any, faults: list[Fault]) -> RbdAccess | None:
    """One entry; what is wrong with it goes to `faults`."""
    where = f"{path}: storage.{site}"
    known = ", ".join(_WORDS)
    if not isinstance(row, dict):
        faults.append(Fault(where, "not_a_mapping", "write keys", {"known": known}, "known: {known}"))
        return None
    before = len(faults)
    for word in sorted(set(row) - set(_WORDS), key=str):
        place = f"{where}.{word}"
        faults.append(Fault(place, "unknown_key", "is not a setting", {"known": known}, "known: {known}"))
    values = {**_DEFAULTS, **row}
    for word in _WORDS:
        value = values.get(word)
        if value is None or value == "":
            faults.append(Fault(f"{where}.{word}", "missing", "is missing"))
        elif not isinstance(value, str):
            faults.append(Fault(f"{where}.{word}", "bad_type", "must be {type}", {"type": "str"}))
    if len(faults) > before:
        return None
    conf, keyring = Path(values["conf"]), Path(values["keyring"])
    for word, file in (("conf", conf), ("keyring", keyring)):
        if not file.is_file():
            params = {"file": str(file)}
            faults.append(Fault(f"{where}.{word}", "no_file", "the file {file} does not exist", params))
    if keyring.is_file():
        faults += open_to_others(keyring, f"{where}.keyring")
    return RbdAccess(site, conf, keyring, values["user"], values["pool"])
