"""An authority of the lab's own and what it signs, made with Debian's openssl."""

from collections.abc import Sequence
from pathlib import Path

from lab.commands import run

_DAYS = "3650"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def create_authority(folder: Path, log: Path) -> None:
    """`ca.pem` and `ca.key` in the folder; an authority that is there stays."""
    if (folder / "ca.pem").exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    request = ("openssl", "req", "-x509", *_CURVE, "-days", _DAYS, "-subj", "/CN=cloudctl lab witness")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run([*request, *usage, "-keyout", str(folder / "ca.key"), "-out", str(folder / "new.pem")], log=log)
    (folder / "ca.key").chmod(0o600)
    (folder / "new.pem").replace(folder / "ca.pem")


def create(folder: Path, name: str, addresses: Sequence[str], log: Path) -> None:
    """`NAME.pem` and `NAME.key`, good for servers at the addresses and for clients; again changes nothing.

    A member of etcd is a client of its own gateway, so both uses are in one certificate.
    """
    certificate, key, request = (folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
    if certificate.exists():
        return
    extensions = folder / f"{name}.ext"
    names = "".join(f"\nsubjectAltName=IP:{',IP:'.join(addresses)}" for _ in addresses[:1])
    extensions.write_text(f"extendedKeyUsage=serverAuth,clientAuth{names}\n")
    run(
        ["openssl", "req", *_CURVE, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)],
        log=log,
    )
    key.chmod(0o600)
    signed = ("openssl", "x509", "-req", "-in", str(request), "-days", _DAYS, "-extfile", str(extensions))
    authority = ("-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial")
    fresh = folder / f"{name}.new"
    run([*signed, *authority, "-out", str(fresh)], log=log)
    fresh.replace(certificate)
    for left in (request, extensions):
        left.unlink()
