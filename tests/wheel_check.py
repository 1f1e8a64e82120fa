"""The package as others get it: what is in it, and whether it works without any extra.

Run as `make wheel-check`: the source archive is built, the wheel from that, and the wheel is
installed into an empty environment with what it requires and nothing else.
"""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = shutil.which("uv", path=Path(sys.executable).parent) or "uv"
BESIDE = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md"}
BESIDE |= {"settings.ini", "setup.cfg", "setup.py"}
"What stands in the source archive beside the package and its reports."


def shipped(root: Path) -> set[str]:
    "The files that a wheel of a tree has: all of the package but its index, and the reports."
    files = (p for p in (root / "aiops_wb").rglob("*") if p.is_file())
    package = {str(p.relative_to(root)) for p in files if p.parent.name != "__pycache__"}
    reports = {f"aiops_wb/reports/{p.name}" for p in (root / "nbs" / "reports").glob("*.ipynb")}
    return package - {"aiops_wb/_modidx.py"} | reports


def built(folder: Path) -> tuple[Path, Path]:
    "The source archive of this tree, and the wheel that is made of it."
    shutil.rmtree(ROOT / "aiops_wb.egg-info", ignore_errors=True)  # it would name files that went
    subprocess.run([UV, "build", "--quiet", "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def check_source(archive: Path) -> None:
    "Nothing but the package, its reports and what builds them."
    with tarfile.open(archive) as held:
        names = {m.name.partition("/")[2] for m in held.getmembers() if m.isfile()}
    reports = {name.replace("nbs/", "aiops_wb/") for name in names if name.startswith("nbs/")}
    rest = {name for name in names if not name.startswith(("nbs/", "aiops_wb.egg-info/"))}
    assert reports | (rest - BESIDE) == shipped(ROOT), (reports | rest - BESIDE) ^ shipped(ROOT)
    assert rest >= BESIDE, BESIDE - rest


def check_wheel(wheel: Path) -> None:
    "The package and its reports, with a licence that programs can read."
    with zipfile.ZipFile(wheel) as held:
        names = {name for name in held.namelist() if ".dist-info/" not in name}
        about = next(name for name in held.namelist() if name.endswith("/METADATA"))
        told = email.message_from_bytes(held.read(about))
    assert names == shipped(ROOT), names ^ shipped(ROOT)
    assert told["License-Expression"] == "MIT" and told["Name"] == "aiops_wb"


def check_bare(wheel: Path, folder: Path) -> None:
    "The wheel alone, in an environment of its own, does what `bare.py` asks of it."
    place = folder / "environment"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, place], check=True)
    python, pins = place / "bin" / "python", ROOT / "constraints.txt"
    command = [UV, "pip", "install", "--quiet", "--python", python, "-c", pins, wheel]
    subprocess.run(command, check=True)
    script = shutil.copy(ROOT / "tests" / "bare.py", folder)  # away from the tree
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([python, script], check=True, cwd=folder, env=kept)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive, wheel = built(folder)
        check_source(archive)
        check_wheel(wheel)
        check_bare(wheel, folder)
        files = len(shipped(ROOT))
        size = wheel.stat().st_size / 1e6
        print(f"{wheel.name}: {files} files, {size:.1f} MB; without extras it logs and reads.")


if __name__ == "__main__":
    main()
