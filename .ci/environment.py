"""Make `.venv` and install deepnb into it: python3 .ci/environment.py [all|dev]

Run by `make`, with any Python from 3.11 on and nothing but the standard library. A second run finds its
stamp, named after the content of the files that say what to install, and does nothing.

torch comes first, because what needs it would otherwise bring a build for graphics cards of several
gigabytes: (1) is it there? (2) a wheel at hand, named in pip's own configuration (3) uv, which knows where
the CPU build is (4) plain pip, with a warning. PIP_TORCH_ARGS, if set, replaces 2 to 4.
"""
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import venv
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SOURCES = ("settings.ini", "setup.py", "pyproject.toml", "constraints.txt", ".ci/environment.py")


def torch_range():
    config = ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return next(word for word in config["DEFAULT"]["extra_read"].split() if word.startswith("torch"))


def stamp(kind):
    content = b"".join((ROOT / name).read_bytes() for name in SOURCES) + str(ROOT).encode()
    return VENV / f".deepnb-{kind}-{hashlib.sha256(content).hexdigest()[:16]}"


def run(*command, quiet=False):
    "Whether the command succeeded"
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if quiet else {}
    return subprocess.run([str(word) for word in command], cwd=ROOT, **silent).returncode == 0


def pip(*words, quiet=False):
    environment = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    return run(*environment, "-c", "constraints.txt", *words, quiet=quiet)


def make_venv():
    if PYTHON.exists() and run(PYTHON, "-m", "pip", "--version", quiet=True):
        return
    print(f"Making .venv with Python {sys.version.split()[0]} ...", flush=True)
    try:
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    except (subprocess.CalledProcessError, ImportError):
        sys.exit(
            "This Python cannot make an environment with pip in it. On Debian and Ubuntu: "
            "apt-get install python3-venv. Then run the same command again."
        )


def install_torch():
    wanted, own = torch_range(), shlex.split(os.environ.get("PIP_TORCH_ARGS", ""))
    if run(PYTHON, "-c", "import torch", quiet=True):
        return True
    print(f"Installing {wanted} ...", flush=True)
    if own:
        return pip(*own, wanted)
    if pip("--no-index", "--no-deps", wanted, quiet=True):
        return pip(wanted)  # already there: brings what it needs
    if uv := shutil.which("uv"):
        if run(uv, "pip", "install", "-q", "--python", PYTHON, "--torch-backend=cpu", wanted, quiet=True):
            return True
    if sys.platform.startswith("linux"):
        print(
            "  No CPU build of torch at hand: pip may now bring one for graphics cards, several gigabytes.\n"
            "  With uv installed the small one is found; or name a place: make env PIP_TORCH_ARGS='...'",
            flush=True,
        )
    return pip(wanted)


def link_shared():
    "An editable installation leaves data files out; link what a wheel would have laid into share/"
    for template in (ROOT / "deepnb/share/jupyter/voila/templates").glob("*"):
        place = VENV / "share/jupyter/voila/templates" / template.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(template, target_is_directory=True)


def main(kind):
    done = stamp(kind)
    if done.exists() or (kind == "all" and stamp("dev").exists()):
        return
    make_venv()
    print(f"Installing deepnb[{kind}] into .venv, once ...", flush=True)
    if not (install_torch() and pip("-e", f".[{kind}]")):
        sys.exit("The installation stopped; the lines above say why. The same command tries again.")
    link_shared()
    for old in VENV.glob(f".deepnb-{kind}-*"):
        old.unlink()
    done.touch()


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  (that is the question here)
        found = sys.version.split()[0]
        sys.exit(f"deepnb needs Python 3.11 or later, this is {found}. Name one: make demo PYTHON=python3.12")
    if sys.argv[1:] not in ([], ["all"], ["dev"]):
        sys.exit("Usage: python3 .ci/environment.py [all|dev]")
    main(*(sys.argv[1:] or ["all"]))
