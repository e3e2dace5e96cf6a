"""Are the exported modules and the stored pages what nbdev would write? python .ci/fresh.py

Works on a copy and changes nothing: it exports and cleans there and names each file that differs.
"""
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def files(folder, pattern):
    found = (path.relative_to(folder) for path in folder.rglob(pattern))
    return {path for path in found if ".ipynb_checkpoints" not in path.parts}


def differing(copy):
    for pattern, part in (("*.py", "deepnb"), ("*.ipynb", "nbs")):
        here, there = ROOT / part, copy / part
        for name in sorted(files(here, pattern) | files(there, pattern)):
            one, two = here / name, there / name
            if not (one.exists() and two.exists() and filecmp.cmp(one, two, shallow=False)):
                yield f"{part}/{name}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "deepnb"
        copy.mkdir()
        for name in ("settings.ini", "pyproject.toml"):
            shutil.copy(ROOT / name, copy)
        skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "weights", "data")
        for name in ("nbs", "deepnb"):
            shutil.copytree(ROOT / name, copy / name, ignore=skip, symlinks=True)
        for path in (copy / "deepnb").glob("*.py"):
            if not path.name.startswith("__"):
                path.unlink()  # so that a module without a page is noticed
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        for command in ("nbdev_export", "nbdev_clean"):
            tool = Path(sys.executable).with_name(command)
            subprocess.run([tool], cwd=copy, check=True, env=environment)
        stale = list(differing(copy))
    if stale:
        print("Not fresh: " + ", ".join(stale), file=sys.stderr)
        print("Run nbdev_export and nbdev_clean, look at the difference, commit.", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
