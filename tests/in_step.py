"""Cleaning and exporting the notebooks must change nothing. Run as: in_step.py clean | export."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def state(patterns):
    return {
        p: sha256(p.read_bytes()).hexdigest() for pattern in patterns for p in ROOT.glob(pattern)
    }


def main(what):
    watched = ["nbs/**/*.ipynb"] if what == "clean" else ["aiops_wb/**/*.py", "README.md"]
    before = state(watched)
    if what == "clean":
        subprocess.run([BIN / "nbdev_clean"], cwd=ROOT, check=True)
    else:
        subprocess.run(["make", "--silent", "export"], cwd=ROOT, check=True)
    after = state(watched)
    changed = sorted(
        str(p.relative_to(ROOT))
        for p in before.keys() | after.keys()
        if before.get(p) != after.get(p)
    )
    if changed:
        print(
            f"'make export' changes {', '.join(changed)}: run it and commit what it wrote.",
            file=sys.stderr,
        )
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
