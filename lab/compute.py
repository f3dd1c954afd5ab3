"""The one place that chooses what runs the guests: a driver of Nova, what it needs, and how Nova is told."""

from dataclasses import dataclass
from pathlib import Path

from lab.layout import Layout

_DRIVERS = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Compute:
    """A way to run guests. `nova_module` is put among Nova's own drivers, for it loads no others."""

    nova_module: str
    driver: str
    options: str = ""

    def config(self) -> str:
        return f"compute_driver = {self.driver}\n{self.options}".rstrip()

    def install(self, layout: Layout) -> None:
        source = (_DRIVERS / f"{self.nova_module}.py").read_text()
        target = layout.site_packages / "nova" / "virt" / f"{self.nova_module}.py"
        if not target.exists() or target.read_text() != source:
            target.write_text(source)


#: Nova's control plane is real, its guests are rows that survive a restart.
REMEMBERED = Compute("remembered", "remembered.RememberedDriver")
