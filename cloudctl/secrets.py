"""Secrets: password hashes, sealed values, signatures. Keys are files of mode 0600, never in the database."""

import hashlib
import os
import secrets as _random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cloudctl.errors import Fault, Misconfigured

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's argon2id setting
_DUMMY = _HASHER.hash("nobody has this password")
MAX_PASSWORD = 256


class Hidden(str):
    """A secret string whose repr does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Hidden(***)"


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    return _HASHER.hash(password)


def check_password(password: str, stored: str | None) -> bool:
    """Whether the password fits; takes as long for an unknown user, so that names cannot be tried out."""
    if len(password) > MAX_PASSWORD:
        return False
    try:
        return _HASHER.verify(stored or _DUMMY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def new_token() -> str:
    """A random token of 256 bits, easy to tell apart in a leaked file."""
    return "cct_" + _random.token_urlsafe(32)


def new_password() -> str:
    """A random first password that meets every usual rule."""
    return _random.token_urlsafe(9) + "-Aa1"


def fingerprint(token: str) -> str:
    """SHA-256 of a token: enough to find it again, useless to sign in with."""
    return hashlib.sha256(token.encode()).hexdigest()


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read_private(path: Path) -> bytes:
    """What `write_private` wrote. Misconfigured when it is missing or others may read it."""
    try:
        key = path.read_bytes()
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        fault = Fault(str(path), "key_missing", "the key cannot be read", hint="run: cloudctl init")
        raise Misconfigured("a key is missing", faults=[fault]) from error
    if mode & 0o077:
        fault = Fault(str(path), "key_readable", "others may read the key", hint="run: chmod 600 {path}")
        raise Misconfigured(
            "a key is not private",
            faults=[Fault(fault.place, fault.code, fault.template, {"path": str(path)}, fault.hint)],
        )
    return key


class Box:
    """Seals short secrets for the database with the installation's own key."""

    def __init__(self, key_file: Path) -> None:
        self._fernet = Fernet(read_private(key_file))

    @staticmethod
    def make_key(key_file: Path) -> None:
        write_private(key_file, Fernet.generate_key())

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> Hidden:
        """The secret again. Misconfigured when the key is not the one it was sealed with."""
        try:
            return Hidden(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken as error:
            raise Misconfigured("a sealed secret was sealed with another key") from error


def _make_once(key_file: Path, make: Callable[[Path], None]) -> None:
    """A key where there is none; several who make it at once end with the same one."""
    if key_file.exists():
        return
    own = key_file.with_name(f"{key_file.name}.{_random.token_hex(4)}")
    make(own)
    try:
        with suppress(FileExistsError):  # somebody else's was first, and is as good
            key_file.hardlink_to(own)
    finally:
        own.unlink()


def shared_key(key_file: Path) -> bytes:
    """32 random bytes for codes (HMAC); made when there are none. Of several who make them, one wins."""
    _make_once(key_file, lambda path: write_private(path, _random.token_bytes(32)))
    return read_private(key_file)


class Signer:
    """Signs heads of the audit chain and of points (Ed25519); anyone with the public key can check."""

    def __init__(self, key_file: Path) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(read_private(key_file))
        self._public: Ed25519PublicKey = self._key.public_key()

    @classmethod
    def of(cls, key_file: Path) -> "Signer":
        """The key of the file; made when there is none. Of several who make it at once, one wins."""
        _make_once(key_file, cls.make_key)
        return cls(key_file)

    @staticmethod
    def make_key(key_file: Path) -> None:
        write_private(key_file, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public(self) -> str:
        """The public half, in hex, with which `escrow.is_signed` checks."""
        return self._public.public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        return self._key.sign(message).hex()

    def verifies(self, message: bytes, signature: str) -> bool:
        try:
            self._public.verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SshKey:
    """The key pair with which cloudctl logs in to servers; the private half is in OpenSSH's own format."""

    def __init__(self, key_file: Path) -> None:
        key = serialization.load_ssh_private_key(read_private(key_file), password=None)
        encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        self.public = key.public_key().public_bytes(encoding, form).decode() + " cloudctl"

    @classmethod
    def of(cls, key_file: Path) -> "SshKey":
        """The key of the file; made when there is none. Of several who make it at once, one wins."""
        _make_once(key_file, cls.make_key)
        return cls(key_file)

    @staticmethod
    def make_key(key_file: Path) -> None:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
        key = Ed25519PrivateKey.generate()
        write_private(key_file, key.private_bytes(encoding, form, serialization.NoEncryption()))
