"""How many mutants of the rate and target modules the tests kill; fewer than nine in ten fail.

    python tests/mutants.py [--keep]

Modules and tests are named in setup.cfg, section [mutmut]. What survived: `mutmut results`, `mutmut show`.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUTMUT = Path(sys.executable).parent / "mutmut"
LEAST_PERCENT = 90


def main() -> int:
    if "--keep" not in sys.argv:  # what was found out before is not found out again
        shutil.rmtree(ROOT / "mutants", ignore_errors=True)
    ran = subprocess.run([MUTMUT, "run"], cwd=ROOT, capture_output=True, text=True, check=False)
    subprocess.run([MUTMUT, "export-cicd-stats"], cwd=ROOT, capture_output=True, check=False)
    found = ROOT / "mutants" / "mutmut-cicd-stats.json"
    if not found.exists():
        print(ran.stdout[-2000:], ran.stderr[-2000:], file=sys.stderr)
        return 1
    numbers = json.loads(found.read_text())
    killed, total = numbers["killed"] + numbers.get("timeout", 0), numbers["total"]
    share = killed * 10_000 // total if total else 0
    print(f"{killed} of {total} mutants killed: {share // 100}.{share % 100:02d} %")
    return 0 if share >= LEAST_PERCENT * 100 else 1


if __name__ == "__main__":
    sys.exit(main())
