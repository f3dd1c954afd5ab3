"""Public SSH keys as people paste them: whether one is really a key, and safe to put on a server. Pure."""

import base64
import binascii
import re

from cloudctl.errors import Fault

_FIELDS = {  # how many length-prefixed fields follow the type inside the blob
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
_MIN_RSA_BITS = 2048
_MOST = 16_384  # characters
_HINT = "paste one line of a .pub file, such as ssh-ed25519 AAAA... name"


def check(text: str, place: str = "ssh_key") -> tuple[str, Fault | None]:
    """The key on one line, or why it is none. A fault never repeats what was pasted: it may be private."""
    if re.search(r"PRIVATE KEY|PuTTY-User-Key-File", text):
        template = "this is a private key: nobody else may ever see it"
        hint = "make a new pair, and paste the line of the .pub file"
        return "", Fault(place, "private_key", template, hint=hint)
    words = text.split()
    if len(text) > _MOST or "\n" in text.strip() or len(words) < 2 or words[0] not in _FIELDS:
        return "", Fault(place, "bad_key", "is no public SSH key", hint=_HINT)
    try:
        fields = _fields(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError):
        return "", Fault(place, "bad_key", "the key is cut off or mistyped", hint=_HINT)
    if fields[0] != words[0].encode() or len(fields) != _FIELDS[words[0]] + 1:
        return "", Fault(place, "bad_key", "the key is not of the type it names", hint=_HINT)
    if words[0] == "ssh-ed25519" and len(fields[1]) != 32:
        return "", Fault(place, "bad_key", "the key is cut off or mistyped", hint=_HINT)
    if words[0] == "ssh-rsa" and int.from_bytes(fields[2], "big").bit_length() < _MIN_RSA_BITS:
        params = {"bits": _MIN_RSA_BITS}
        return "", Fault(place, "weak_key", "an RSA key needs {bits} bits", params, "use ssh-ed25519")
    return " ".join(words), None


def _fields(blob: bytes) -> list[bytes]:
    """The length-prefixed strings that fill the blob exactly (RFC 4253, section 6.6)."""
    fields: list[bytes] = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length or len(blob) < 4:
            raise ValueError("cut off")
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return fields or [b""]
