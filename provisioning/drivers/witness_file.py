"""The members of the witness out of witness.yaml, checked as a whole; all faults at once.

    members:
      province: https://10.101.1.2:2379      # one at each of three places
      city-1: https://10.101.2.2:2379
      third: https://10.101.9.2:2379
    ca: /etc/cloudctl/witness/ca.pem         # who signed the members' certificates and ours
    cert: /etc/cloudctl/witness/cloudctl.pem
    key: /etc/cloudctl/witness/cloudctl.key
    timeout_s: 2                             # for one member; the next is asked after it
    prefix: /cloudctl/                       # of the keys, where others use the members as well

Relative paths begin at the directory of the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloudctl.errors import Fault, Misconfigured
from provisioning.drivers.key_file import NotReadError, open_to_others, read_document

_WORDS = ("members", "ca", "cert", "key", "timeout_s", "prefix")
_LEAST_MEMBERS = 3


@dataclass(frozen=True)
class WitnessConfig:
    """What witness.yaml says."""

    members: Mapping[str, str]  # name -> URL
    ca: Path
    cert: Path
    key: Path
    timeout_s: float = 2.0
    prefix: str = "/cloudctl/"


def read_witness(path: Path) -> WitnessConfig:
    """The file, checked. Misconfigured names every fault."""
    hint = "write the addresses of three members and the certificate for them"
    try:
        document = read_document(path, hint)
    except NotReadError as error:
        raise Misconfigured("the witness cannot be read", faults=[error.fault]) from error
    faults: list[Fault] = []

    def fault(where: str, code: str, template: str, hint: str | None = None, **params: object) -> None:
        faults.append(Fault(f"{path}: {where}", code, template, params, hint))

    if not isinstance(document, dict):
        document = {}
    for word in sorted(set(document) - set(_WORDS), key=str):
        fault(str(word), "unknown_key", "is not a setting", "known: {known}", known=", ".join(_WORDS))
    members = _members(document.get("members"), fault)
    files = {word: _file(path.parent, word, document.get(word), fault) for word in ("ca", "cert", "key")}
    if files["key"].is_file():
        faults += open_to_others(files["key"], f"{path}: key")
    timeout_s = document.get("timeout_s", WitnessConfig.timeout_s)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or timeout_s <= 0:
        fault("timeout_s", "not_positive", "must be more than 0")
    prefix = document.get("prefix", WitnessConfig.prefix)
    if not isinstance(prefix, str) or not prefix.endswith("/"):
        fault("prefix", "bad_value", "must end with a slash")
    if faults:
        raise Misconfigured("witness.yaml has faults", faults=faults)
    return WitnessConfig(members, **files, timeout_s=float(timeout_s), prefix=prefix)


def _members(given: Any, fault: Any) -> dict[str, str]:
    if not isinstance(given, dict) or len(given) < _LEAST_MEMBERS or len(given) % 2 == 0:
        fault("members", "bad_number", "must be three members or five, at as many places")
        return {}
    members = {str(name): str(url) for name, url in given.items()}
    for name, url in members.items():
        if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
            fault(f"members.{name}", "bad_value", "must be an address with https://")
    if len({urlsplit(url).hostname for url in members.values()}) < len(members):
        fault("members", "same_place", "two members are at the same address and would be lost together")
    return members


def _file(folder: Path, word: str, given: Any, fault: Any) -> Path:
    if not isinstance(given, str) or not given:
        fault(word, "missing", "is missing")
        return folder / word
    path = folder / given
    if not path.is_file():
        fault(word, "no_file", "the file {file} does not exist", file=str(path))
    return path
