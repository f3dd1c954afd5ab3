"""Builds the image of a small real Linux: Debian's kernel, Python, OpenSSH, PostgreSQL, an init of its own.

Nothing is booted, mounted or run as a daemon for it: packages are unpacked, and PostgreSQL's cluster is made
in a chroot.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lab import guest_disk
from lab.commands import run
from lab.layout import Layout

_RECIPE = Path(__file__).parent / "templates" / "guest"
_KERNEL = "linux-image-cloud-amd64"
_POSTGRES = "/usr/lib/postgresql/15/bin"
_CLUSTER = "/var/lib/postgresql/15/main"
_POSTGRES_IDS = (100, 102)
_DEBIAN_IDS = (1000, 1000)
#: Left out of the unpacked packages: nobody in a guest reads it, or it needs what the guest has not.
_NOT_NEEDED = (
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
    "usr/share/bash-completion", "usr/share/bug", "usr/share/i18n", "usr/lib/postgresql/15/lib/bitcode",
    "usr/lib/postgresql/15/lib/llvmjit.so", "usr/share/postgresql/15/man", "usr/lib/systemd",
    "usr/lib/python3.11/lib2to3", "usr/lib/python3.11/pydoc_data", "usr/lib/x86_64-linux-gnu/perl-base",
)  # fmt: skip
_DIRECTORIES = (
    "dev", "proc", "sys", "run", "root", "tmp", "mnt", "media", "opt", "srv/data", "var/log", "var/tmp",
    "home/debian/.ssh", "usr/local/bin", "etc/ssh/sshd_config.d", "etc/init.d",
)  # fmt: skip


def digest() -> str:
    """Stands for the recipe; an image of another recipe is another image."""
    total = hashlib.sha256(Path(__file__).read_bytes() + Path(guest_disk.__file__).read_bytes())
    for path in sorted(path for path in _RECIPE.rglob("*") if path.is_file()):
        total.update(str(path.relative_to(_RECIPE)).encode() + path.read_bytes())
    return total.hexdigest()[:16]


def path(layout: Layout) -> Path:
    """Where the image of the present recipe lies once it is built: raw, sparse."""
    return layout.cache / f"guest-{digest()}.raw"


def build(layout: Layout, log: Path) -> None:
    """Makes the image unless it is there; half of one is made anew. Fetches packages from Debian."""
    image = path(layout)
    if image.exists():
        return
    work = layout.cache / "guest-build"
    shutil.rmtree(work, ignore_errors=True)
    root = work / "root"
    root.mkdir(parents=True)
    kernel = _unpack(work, root, log)
    _furnish(root, log)
    _create_cluster(root, log)
    _add_boot_files(work, root, kernel, log)
    fresh = image.with_suffix(".new")
    guest_disk.write(root, fresh, work, log)
    for older in layout.cache.glob("guest-*.raw"):
        older.unlink()
    fresh.replace(image)
    shutil.rmtree(work)


def _unpack(work: Path, root: Path, log: Path) -> Path:
    """Fetches the packages and unpacks them below `root`; returns where the kernel lies unpacked."""
    depends = run(["apt-cache", "depends", "--important", _KERNEL], log=log)
    kernel = next(line.split()[-1] for line in depends.splitlines() if "Depends:" in line)
    archives = work / "archives"
    archives.mkdir()
    names = [*(_RECIPE / "packages").read_text().split(), kernel]
    run(["sh", "-c", 'cd "$1" && shift && apt-get -q download "$@"', "download", str(archives), *names],
        log=log, timeout_s=900)  # fmt: skip
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    kernel_root = work / "kernel"
    kernel_root.mkdir()
    # Debian's packages still name /bin and /lib, which are links here.
    unpack = (
        'set -e; cd "$1"; for deb in *.deb; do target=$3; case "$deb" in linux-image-*) target=$2 ;; esac;'
        ' dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$target"; done'
    )
    run(["sh", "-c", unpack, "unpack", str(archives), str(kernel_root), str(root)], log=log)
    for name in _NOT_NEEDED:
        unwanted = root / name
        shutil.rmtree(unwanted) if unwanted.is_dir() else unwanted.unlink(missing_ok=True)
    return kernel_root


def _furnish(root: Path, log: Path) -> None:
    """Adds the files of the recipe, the links of busybox and the homes; compiles Python's library."""
    for source in sorted((_RECIPE / "root").rglob("*")):
        target = root / source.relative_to(_RECIPE / "root")
        if source.is_dir():
            target.mkdir(exist_ok=True)
            continue
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        target.chmod(_mode(target.relative_to(root)))
    programs = {program.name for place in ("bin", "sbin") for program in (root / "usr" / place).iterdir()}
    for applet in _applets(root, log):
        if applet.name not in programs:
            (root / applet).symlink_to("/bin/busybox")
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for directory in (root / "home/debian", root / "home/debian/.ssh"):
        directory.chmod(0o700)
        os.chown(directory, *_DEBIAN_IDS)
    os.mknod(root / "dev/null", 0o666 | 0o020000, os.makedev(1, 3))
    (root / "dev/null").chmod(0o666)
    (root / "etc/hostname").write_text("guest\n")
    shutil.rmtree(root / "var/run")
    (root / "var/run").symlink_to("/run")
    # Debian's own are scripts that ask which of several clusters is meant.
    for program in (root / _POSTGRES[1:]).iterdir():
        (root / "usr/local/bin" / program.name).symlink_to(f"{_POSTGRES}/{program.name}")
    chroot = ["chroot", str(root)]
    run([*chroot, "ldconfig"], log=log)
    run(
        [*chroot, "python3", "-m", "compileall", "-q", "-j", "1", "/usr/lib/python3.11", "/usr/lib/python3"],
        log=log,
    )


def _create_cluster(root: Path, log: Path) -> None:
    """Makes PostgreSQL's cluster with the application's database, so that no guest has to."""
    user, group = _POSTGRES_IDS
    base = root / _CLUSTER[1:]
    base.mkdir(parents=True)
    shared = root / "dev/shm"
    shared.mkdir()
    shared.chmod(0o1777)
    os.chown(base, user, group)
    postgres = ["chroot", f"--userspec={user}:{group}", str(root)]
    run([*postgres, f"{_POSTGRES}/initdb", "-D", _CLUSTER, "--locale=C.UTF-8", "--auth=peer",
         "--wal-segsize=1", "--no-sync"], log=log)  # fmt: skip
    shutil.copyfile(_RECIPE / "postgresql.conf", base / "postgresql.conf")
    for database, statements in (("postgres", "schema.sql"), ("app", "schema-app.sql")):
        run([*postgres, f"{_POSTGRES}/postgres", "--single", "-D", _CLUSTER, database],
            log=log, stdin=(_RECIPE / statements).read_text())  # fmt: skip


def _add_boot_files(work: Path, root: Path, kernel: Path, log: Path) -> None:
    """The kernel, and an initial RAM disk with the modules that reach disk and network."""
    ram = work / "ram"
    for name in ("bin", "dev", "proc", "sys", "disk", "modules"):
        (ram / name).mkdir(parents=True)
    shutil.copy(root / "usr/bin/busybox", ram / "bin/busybox")
    (ram / "bin/sh").symlink_to("busybox")
    for applet in ("mount", "insmod", "usleep", "switch_root"):
        (ram / "bin" / applet).symlink_to("busybox")
    shutil.copyfile(_RECIPE / "initrd", ram / "init")
    (ram / "init").chmod(0o755)
    modules = {found.name: found for found in kernel.rglob("*.ko")}
    order = (_RECIPE / "modules").read_text()
    for line in order.splitlines():
        name = f"{line.split()[0]}.ko"
        shutil.copyfile(modules[name], ram / "modules" / name)
    (ram / "modules/order").write_text(order)
    boot = root / "boot"
    boot.mkdir(exist_ok=True)
    pack = 'cd "$1" && find . | "$2" cpio -o -H newc 2>/dev/null | gzip -9 >"$3"'
    run(["sh", "-c", pack, "pack", str(ram), str(root / "usr/bin/busybox"), str(boot / "initrd")], log=log)
    shutil.copyfile(next((kernel / "boot").glob("vmlinuz-*")), boot / "vmlinuz")


def _applets(root: Path, log: Path) -> Iterator[Path]:
    """Where busybox wants the links to its programs, below the root."""
    for line in run([str(root / "usr/bin/busybox"), "--list-full"], log=log).split():
        place = Path(line).parent.name
        yield Path("usr") / (place if place == "sbin" else "bin") / Path(line).name


def _mode(target: Path) -> int:
    if target.parent == Path("usr/local/sbin") or target.is_relative_to("etc/acpi"):
        return 0o755
    return 0o640 if target.name == "shadow" else 0o440 if target.is_relative_to("etc/sudoers.d") else 0o644
