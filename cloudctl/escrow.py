"""Escrow: who may open a point, and who made it.

The data key of a point is wrapped to the public escrow key of each site that may have to open it, with HPKE
(RFC 9180: X25519, HKDF-SHA256, AES-256-GCM) as the cryptography library has it; nothing of it is ours. A head
is signed with Ed25519. The file of an escrow key holds its private half, the installation it belongs to and
the public key of that installation's signer: with this one file and a credential for a vault, a stranger can
find, check and open every point.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from cloudctl.envelopes import DataKey
from cloudctl.errors import Fault, Misconfigured, SealBroken
from cloudctl.secrets import read_private, write_private

WRAPPING = "hpke-x25519-hkdf-sha256-aes256gcm"
_FORMAT = "cloudctl-escrow-1"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_INFO = b"cloudctl point key 1\n"


def key_id(public: str) -> str:
    """The short name of a public key (hex): 16 hex digits of its SHA-256."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]


def wrap(key: DataKey, public: str, context: str) -> str:
    """The data key as only the private half of `public` (hex) can read it, in hex; differs each time.

    `context` says of which point it is; it must be the same when it is unwrapped. Misconfigured for what is
    no such key.
    """
    try:
        receiver = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
        return _SUITE.encrypt(key.raw, receiver, _INFO + context.encode()).hex()
    except ValueError as error:
        raise Misconfigured("'{key}' is no public escrow key", key=public[:80]) from error


def is_signed(message: bytes, signature: str, signer: str) -> bool:
    """Whether the holder of the public key `signer` (hex) signed exactly this (`secrets.Signer`)."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class EscrowKey:
    """The private half of a site's escrow key. `public` goes into `vault.escrow_key`."""

    installation: str
    site: str
    public: str  # hex
    signers: tuple[str, ...]  # public keys (hex) whose heads are trusted
    _private: X25519PrivateKey

    @property
    def id(self) -> str:
        """Under which the heads name it."""
        return key_id(self.public)

    @staticmethod
    def make(path: Path, installation: str, site: str, signers: tuple[str, ...], at: datetime) -> "EscrowKey":
        """Write a new key file, mode 0600. Misconfigured when there is one already: points may need it."""
        if path.exists():
            fault = Fault(str(path), "key_exists", "there is a key already, and points may need it")
            raise Misconfigured("an escrow key is never written over", faults=[fault])
        private = X25519PrivateKey.generate()
        content = {
            "format": _FORMAT,
            "installation": installation,
            "site": site,
            "private": private.private_bytes_raw().hex(),
            "public": private.public_key().public_bytes_raw().hex(),
            "signers": list(signers),
            "made_at": at.isoformat(),
        }
        write_private(
            path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
        )
        return EscrowKey.read(path)

    @staticmethod
    def read(path: Path) -> "EscrowKey":
        """The key in a file. Misconfigured when it is missing, readable by others, or no such key."""
        try:
            content = json.loads(read_private(path))
            if content["format"] != _FORMAT:
                raise ValueError(content["format"])
            private = X25519PrivateKey.from_private_bytes(bytes.fromhex(content["private"]))
            public = private.public_key().public_bytes_raw().hex()
            signers = tuple(str(one) for one in content["signers"])
            for signer in signers:
                Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer))
            return EscrowKey(str(content["installation"]), str(content["site"]), public, signers, private)
        except (ValueError, KeyError, TypeError) as error:
            fault = Fault(str(path), "bad_escrow_key", "this is no escrow key of a known format")
            raise Misconfigured("an escrow key cannot be used", faults=[fault]) from error

    def unwrap(self, wrapped: str, context: str) -> DataKey:
        """The data key again. SealBroken when it was not wrapped to this key for this point."""
        try:
            return DataKey(_SUITE.decrypt(bytes.fromhex(wrapped), self._private, _INFO + context.encode()))
        except (InvalidTag, ValueError) as error:
            raise SealBroken(
                "the key of the point was not wrapped to the escrow key {key}", key=self.id
            ) from error
