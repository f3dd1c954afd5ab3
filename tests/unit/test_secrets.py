"""Secrets: hashes that cannot be turned round, keys that nobody else reads, values that do not show."""

import stat
from pathlib import Path

import pytest

from cloudctl import secrets
from cloudctl.errors import Misconfigured
from cloudctl.secrets import Box, Hidden, Signer


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "box.key"


def test_a_password_fits_its_own_hash_only() -> None:
    stored = secrets.hash_password("Correct-Horse-1")
    assert stored.startswith("$argon2id$")
    assert secrets.check_password("Correct-Horse-1", stored)
    assert not secrets.check_password("correct-horse-1", stored)


def test_two_hashes_of_one_password_differ() -> None:
    assert secrets.hash_password("Correct-Horse-1") != secrets.hash_password("Correct-Horse-1")


def test_nobody_signs_in_without_a_stored_hash() -> None:
    assert not secrets.check_password("nobody has this password", None)
    assert not secrets.check_password("", None)


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$nonsense", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_hash_of_another_kind_is_a_no_and_no_crash(stored: str) -> None:
    assert not secrets.check_password("anything", stored)


def test_a_password_too_long_to_be_one_is_not_hashed_at_all() -> None:
    long = "x" * (secrets.MAX_PASSWORD + 1)
    assert not secrets.check_password(long, secrets.hash_password(long))


def test_tokens_are_told_apart_and_never_alike() -> None:
    tokens = {secrets.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("cct_") and len(token) > 40 for token in tokens)


def test_the_fingerprint_of_a_token_is_stable_and_does_not_hold_it() -> None:
    token = secrets.new_token()
    assert secrets.fingerprint(token) == secrets.fingerprint(token)
    assert token[4:] not in secrets.fingerprint(token)


def test_a_hidden_value_does_not_show_in_a_traceback_or_a_log() -> None:
    value = Hidden("Correct-Horse-1")
    assert repr(value) == "Hidden(***)"
    assert "Correct" not in repr({"password": value})
    assert value == "Correct-Horse-1"


def test_a_private_file_is_private_and_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"
    secrets.write_private(path, b"first")
    secrets.write_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_what_is_sealed_opens_with_the_same_key_only(key: Path, tmp_path: Path) -> None:
    Box.make_key(key)
    sealed = Box(key).seal("application-credential-secret")
    assert "application" not in sealed
    assert Box(key).open(sealed) == "application-credential-secret"
    Box.make_key(tmp_path / "other.key")
    with pytest.raises(Misconfigured, match="another key"):
        Box(tmp_path / "other.key").open(sealed)


@pytest.mark.parametrize("sealed", ["", "nonsense", "gAAAAAB" + "x" * 60])
def test_what_was_never_sealed_does_not_open(key: Path, sealed: str) -> None:
    Box.make_key(key)
    with pytest.raises(Misconfigured):
        Box(key).open(sealed)


@pytest.mark.parametrize("kind", [Box, Signer])
def test_a_key_that_others_may_read_is_refused(key: Path, kind: type[Box] | type[Signer]) -> None:
    kind.make_key(key)
    key.chmod(0o640)
    with pytest.raises(Misconfigured) as caught:
        kind(key)
    assert [fault.code for fault in caught.value.faults] == ["key_readable"]
    assert f"chmod 600 {key}" in caught.value.faults[0].text()


def test_a_missing_key_says_where_it_should_be(key: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        Signer(key)
    assert caught.value.faults[0].place == str(key)


def test_a_signature_fits_one_message_and_one_key(key: Path, tmp_path: Path) -> None:
    Signer.make_key(key)
    Signer.make_key(tmp_path / "other.key")
    signer = Signer(key)
    signature = signer.sign(b"head")
    assert signer.verifies(b"head", signature)
    assert not signer.verifies(b"Head", signature)
    assert not Signer(tmp_path / "other.key").verifies(b"head", signature)


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64, "ab"])
def test_what_is_no_signature_verifies_nothing(key: Path, signature: str) -> None:
    Signer.make_key(key)
    assert not Signer(key).verifies(b"head", signature)
