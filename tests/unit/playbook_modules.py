"""The Ansible modules that come with the playbooks, loaded as Python modules."""

import importlib.util
from pathlib import Path
from typing import Any

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


def load(name: str) -> Any:
    """A fresh one each time: tests change its ways to the system."""
    spec = importlib.util.spec_from_file_location(f"playbooks_{name}", PLAYBOOKS / "library" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
