"""The tables of faults name tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = ("backup-faults.md", "recovery-faults.md")


def test_every_test_that_the_tables_of_faults_name_exists() -> None:
    named = {
        name for table in TABLES for name in re.findall(r"`(test_\w+)`", (ROOT / "docs" / table).read_text())
    }
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 30
    assert sorted(named - there) == []
