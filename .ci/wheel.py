"""Does a wheel of what is committed work without nbdev? python .ci/wheel.py

Builds it from `git archive`, unpacks it into an empty folder, and there, with nbdev and its companions
blocked, imports every module and reads a bundled picture.
"""
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECK = """
import sys
from importlib import import_module
from pathlib import Path
site = Path(sys.argv[1])
sys.path.insert(0, str(site))
for name in ("nbdev", "fastcore", "execnb", "ghapi"):
    sys.modules[name] = None
import deepnb
assert Path(deepnb.__file__).is_relative_to(site), deepnb.__file__
modules = sorted(path.stem for path in (site / "deepnb").glob("[!_]*.py"))
for name in modules:
    import_module(f"deepnb.{name}")
from deepnb.core import data_path
pictures = data_path("data", "pictures").iterdir()
picture = min(path for path in pictures if path.suffix in {".jpg", ".png", ".webp"})
assert Path(picture).is_relative_to(site), picture
print(f"The wheel of deepnb {deepnb.__version__} works without nbdev: {len(modules)} modules.", flush=True)
from deepnb.cli import main
sys.exit(main(["read", str(picture)]))
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        source, wheels, site = (Path(folder) / name for name in ("source", "wheels", "site"))
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(source, filter="data")
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(source)]
        built = subprocess.run(pip, capture_output=True, text=True)
        if built.returncode:
            sys.exit(f"The wheel could not be built.\n{built.stdout}{built.stderr}")
        (wheel,) = wheels.glob("deepnb-*.whl")
        zipfile.ZipFile(wheel).extractall(site)
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
        return subprocess.run([sys.executable, "-c", CHECK, str(site)], cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
