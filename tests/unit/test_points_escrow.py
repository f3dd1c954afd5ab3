"""Escrow keys: one file and a credential are enough to open a point, and nothing less is."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudctl.envelopes import DataKey
from cloudctl.errors import Misconfigured, SealBroken
from cloudctl.escrow import EscrowKey, is_signed, key_id, wrap
from cloudctl.secrets import Signer

AT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    Signer.make_key(tmp_path / "points.key")
    return Signer(tmp_path / "points.key")


@pytest.fixture
def escrow(tmp_path: Path, signer: Signer) -> EscrowKey:
    return EscrowKey.make(tmp_path / "city-1.key", "gx", "city-1", (signer.public,), AT)


def test_a_wrapped_key_comes_out_with_the_private_half_and_for_its_point_only(
    escrow: EscrowKey, tmp_path: Path
) -> None:
    key = DataKey.new()
    wrapped = wrap(key, escrow.public, "gx/p-1")
    assert escrow.unwrap(wrapped, "gx/p-1").raw == key.raw
    other = EscrowKey.make(tmp_path / "other.key", "gx", "city-2", escrow.signers, AT)
    for holder, context, text in (
        (other, "gx/p-1", wrapped),
        (escrow, "gx/p-2", wrapped),
        (escrow, "gx/p-1", wrapped[:-2] + ("00" if wrapped[-2:] != "00" else "01")),
        (escrow, "gx/p-1", "no hex"),
        (escrow, "gx/p-1", ""),
    ):
        with pytest.raises(SealBroken, match=holder.id):
            holder.unwrap(text, context)


def test_the_file_alone_tells_installation_site_and_whom_to_trust(
    escrow: EscrowKey, tmp_path: Path, signer: Signer
) -> None:
    again = EscrowKey.read(tmp_path / "city-1.key")
    assert (again.installation, again.site, again.public) == ("gx", "city-1", escrow.public)
    assert again.signers == (signer.public,)
    assert again.id == key_id(escrow.public)
    assert "private" not in repr(again) or json.loads((tmp_path / "city-1.key").read_text())[
        "private"
    ] not in repr(again)


def test_the_file_is_private_and_never_written_over(escrow: EscrowKey, tmp_path: Path) -> None:
    file = tmp_path / "city-1.key"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Misconfigured):
        EscrowKey.make(file, "gx", "city-1", escrow.signers, AT)
    assert EscrowKey.read(file).public == escrow.public
    file.chmod(0o640)
    with pytest.raises(Misconfigured):
        EscrowKey.read(file)


@pytest.mark.parametrize("change", [{"format": "cloudctl-escrow-9"}, {"private": "00"}, {"signers": ["zz"]}])
def test_a_file_of_another_kind_is_refused(
    escrow: EscrowKey, tmp_path: Path, change: dict[str, object]
) -> None:
    file = tmp_path / "city-1.key"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(Misconfigured):
        EscrowKey.read(file)


def test_wrapping_to_what_is_no_key_is_refused() -> None:
    with pytest.raises(Misconfigured):
        wrap(DataKey.new(), "not a key", "gx/p-1")


def test_a_signature_is_checked_with_the_bare_public_key(signer: Signer, tmp_path: Path) -> None:
    signature = signer.sign(b"head")
    assert is_signed(b"head", signature, signer.public)
    assert not is_signed(b"another", signature, signer.public)
    assert not is_signed(b"head", "zz", signer.public)
    Signer.make_key(tmp_path / "strange.key")
    assert not is_signed(b"head", signature, Signer(tmp_path / "strange.key").public)
