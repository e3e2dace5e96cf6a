"""The commands around the code: environment, freshness, marks of the tests, and make demo as a whole"""
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def script(name):
    "A module out of .ci, which is no package"
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Steps:
    "A double for the environment's outside: notes each command and answers whether it succeeded"

    def __init__(self, monkeypatch, *, works, uv=None):
        self.module, self.taken = script("environment"), []
        monkeypatch.setattr(self.module, "run", lambda *words, quiet=False: self.note(words, works))
        monkeypatch.setattr(self.module.shutil, "which", lambda name: uv)
        monkeypatch.delenv("PIP_TORCH_ARGS", raising=False)

    def note(self, words, works):
        text = " ".join(map(str, words[1:]))
        self.taken.append(text)
        return any(word in text for word in works)


def test_torch_that_is_there_is_left_alone(monkeypatch):
    steps = Steps(monkeypatch, works=["import torch"])
    assert steps.module.install_torch() and steps.taken == ["-c import torch"]


def test_a_wheel_at_hand_comes_before_everything_else(monkeypatch):
    steps = Steps(monkeypatch, works=["pip"], uv="/bin/uv")
    assert steps.module.install_torch()
    probe, needs = steps.taken[1:]
    assert "--no-index --no-deps torch>=2.3" in probe and "--no-index" not in needs


def test_uv_comes_before_plain_pip(monkeypatch):
    steps = Steps(monkeypatch, works=["--torch-backend=cpu"], uv="/bin/uv")
    assert steps.module.install_torch() and "--torch-backend=cpu" in steps.taken[-1]


def test_plain_pip_comes_last_and_with_a_warning(monkeypatch, capsys):
    steps = Steps(monkeypatch, works=["never"])
    monkeypatch.setattr(steps.module.sys, "platform", "linux")
    assert not steps.module.install_torch()
    assert steps.taken[-1].endswith("torch>=2.3,<3") and "--no-index" not in steps.taken[-1]
    assert "several gigabytes" in capsys.readouterr().out


def test_one_can_say_how_to_get_torch(monkeypatch):
    steps = Steps(monkeypatch, works=["pip"])
    monkeypatch.setenv("PIP_TORCH_ARGS", "--find-links 'my wheels'")
    assert steps.module.install_torch()
    assert "--find-links my wheels torch>=2.3" in steps.taken[-1] and len(steps.taken) == 2


def test_a_second_run_installs_nothing(monkeypatch, tmp_path):
    steps = Steps(monkeypatch, works=[""])
    monkeypatch.setattr(steps.module, "VENV", tmp_path)
    monkeypatch.setattr(steps.module, "link_shared", lambda: None)
    steps.module.main("dev")
    first = len(steps.taken)
    steps.module.main("dev")
    steps.module.main("all")  # what dev installed is enough for users too
    assert first > 0 and len(steps.taken) == first


def test_a_changed_requirement_installs_again(monkeypatch, tmp_path):
    module = script("environment")
    for name in module.SOURCES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    before = module.stamp("all")
    with (tmp_path / "settings.ini").open("a") as file:
        file.write("extra_more = something\n")
    assert module.stamp("all") != before


def test_a_stale_module_is_noticed_and_left_as_it_is(monkeypatch, tmp_path, capfd):
    module = script("fresh")
    for name in ("settings.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "nbs").mkdir()
    (tmp_path / "deepnb").mkdir()
    shutil.copy(ROOT / "nbs" / "00_core.ipynb", tmp_path / "nbs")
    for name in ("__init__.py", "core.py"):
        shutil.copy(ROOT / "deepnb" / name, tmp_path / "deepnb")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    stale = "# changed by hand\n" + (tmp_path / "deepnb" / "core.py").read_text()
    (tmp_path / "deepnb" / "core.py").write_text(stale)
    (tmp_path / "deepnb" / "orphan.py").write_text("x = 1\n")
    assert module.main()
    told = capfd.readouterr().err
    assert "deepnb/core.py" in told and "deepnb/orphan.py" in told and "nbs/00_core.ipynb" not in told
    assert (tmp_path / "deepnb" / "core.py").read_text() == stale


MARKED = """
import pytest

@pytest.mark.browser
def test_page():
    pass

def test_plain():
    pass
"""


def pytest_in(folder, **environment):
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "test_marked.py").write_text(MARKED)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  browser: x\naddopts = -rs\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(folder)]
    everything = {**os.environ, "PATH": "/nowhere", "DEEPNB_CHROMIUM": "", "DEEPNB_DEMAND": "", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=everything, cwd=folder)


def test_a_missing_browser_is_skipped_aloud(tmp_path):
    run = pytest_in(tmp_path)
    assert run.returncode == 0 and "1 passed, 1 skipped" in run.stdout
    assert "apt-get install chromium" in run.stdout


def test_a_missing_browser_that_is_demanded_fails(tmp_path):
    run = pytest_in(tmp_path, DEEPNB_DEMAND="browser")
    assert run.returncode != 0 and "apt-get install chromium" in run.stdout


def test_a_demanded_kind_of_which_nothing_ran_fails(tmp_path):
    run = pytest_in(tmp_path, DEEPNB_DEMAND="corpus", DEEPNB_CORPUS=str(tmp_path))
    assert run.returncode != 0 and "no test marked corpus ran" in run.stdout


def make(*words, **environment):
    everything = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | environment
    held = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "timeout": 500}
    return subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, env=everything, **held)


def test_make_alone_tells_what_there_is():
    run = make()
    told = set(run.stdout.replace("|", " ").split())
    assert run.returncode == 0 and {"demo", "test", "env", "docs"} <= told


@pytest.mark.slow
def test_make_demo_answers_writes_a_page_and_never_blocks(tmp_path, bundled):
    stamps = list((ROOT / ".venv").glob(".deepnb-*")) if (ROOT / ".venv").exists() else []
    if Path(sys.prefix) != ROOT / ".venv" or not stamps:
        pytest.skip("make demo is tried where make made the environment: make test")
    own = tmp_path / "my picture's copy.jpg"
    shutil.copy(next(path for path in bundled if path.suffix == ".jpg"), own)
    run = make("demo", f"PICTURE={own}", DISPLAY="")
    assert run.returncode == 0, run.stderr
    assert "deepnb lab" in run.stdout, "without a terminal it tells how to open the guide"
    assert "my picture's copy.jpg" in run.stdout and len(run.stdout.split()) > 40, "the answer in words"
    page = (ROOT / "demo" / "my picture's copy.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 3, "picture, fingerprint and spectrum at least"
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page
