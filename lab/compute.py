"""The one place that chooses what runs the guests: a driver of Nova, what it needs, and how Nova is told."""

from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.layout import Layout

_TEMPLATES = Path(__file__).parent / "templates"
_BINDINGS = Path("/usr/lib/python3/dist-packages")


@dataclass(frozen=True)
class Compute:
    """A way to run guests; Nova's options for it are two templates, for [DEFAULT] and for other sections."""

    name: str
    is_real: bool
    packages: tuple[str, ...] = ()

    def template(self, part: str) -> str:
        """The name of the template with Nova's options; `part` is `defaults` or `sections`."""
        return f"nova-{self.name}-{part}.conf"

    def install(self, layout: Layout) -> None:
        """Puts what Nova loads where Nova finds it; repeatable."""
        if self.is_real:
            _link_bindings(layout)
        else:
            _install_driver(layout)


#: Nova's control plane is real, its guests are rows that survive a restart.
REMEMBERED = Compute("remembered", is_real=False)
#: Guests are real machines, run by QEMU in software below a libvirt of each site.
LIBVIRT = Compute(
    "libvirt",
    is_real=True,
    packages=(
        "libvirt-daemon", "libvirt-daemon-driver-qemu", "python3-libvirt",
        "qemu-system-x86", "qemu-block-extra", "genisoimage", "e2fsprogs", "grub-common", "grub-pc-bin",
        "open-iscsi",  # without it os-brick locks by a field that volumes have not which Cinder adopted
    ),
)  # fmt: skip


def chosen(layout: Layout) -> Compute:
    """What this lab runs its guests with: chosen with `up`, kept until the lab is destroyed."""
    return LIBVIRT if layout.guests_mark.exists() else REMEMBERED


def choose(layout: Layout, compute: Compute) -> None:
    """Remembers the choice for every later command."""
    if compute.is_real:
        layout.guests_mark.touch()
    else:
        layout.guests_mark.unlink(missing_ok=True)


def _install_driver(layout: Layout) -> None:
    """Nova loads drivers from among its own only."""
    source = (_TEMPLATES / "remembered.py").read_text()
    target = layout.site_packages / "nova" / "virt" / "remembered.py"
    if not target.exists() or target.read_text() != source:
        target.write_text(source)


def _link_bindings(layout: Layout) -> None:
    """Lets the environment see Debian's bindings of libvirt, which fit Debian's libvirt."""
    found = sorted(_BINDINGS.glob("libvirtmod*.cpython-311-*.so"))
    if not found:
        raise LabError("python3-libvirt has no module for Python 3.11; guests need Debian 12")
    for source in (*found, _BINDINGS / "libvirt.py", _BINDINGS / "libvirt_qemu.py"):
        link = layout.site_packages / source.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(source)
