"""What some tests need, and the sentence that is said aloud when it is not here

`DEEPNB_DEMAND=browser,corpus` turns each such skip into a failure, and a demanded kind of which no test
ran at all into one as well: continuous integration sets it.
"""
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def chromium_path():
    named = os.environ.get("DEEPNB_CHROMIUM")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def corpus_path():
    folder = Path(os.environ.get("DEEPNB_CORPUS") or ROOT.parent / "shared" / "corpus")
    return folder if (folder / "manifest.csv").is_file() else None


def missing_browser():
    if not chromium_path():
        return (
            "Chromium is not installed: apt-get install chromium brings it on Debian; "
            "elsewhere name one by DEEPNB_CHROMIUM"
        )
    if not find_spec("playwright"):
        return 'playwright is not installed: pip install -e ".[dev]" brings it'


def missing_corpus():
    if not corpus_path():
        return (
            "the corpus of pictures is not here: put it at ../shared/corpus beside the checkout, "
            "or name its folder by DEEPNB_CORPUS"
        )


def missing_gpu():
    if not find_spec("torch"):
        return 'torch is not installed: pip install "deepnb[read]" brings it'
    import torch

    if not torch.cuda.is_available():
        return "no accelerator is here: run on a machine with one"


NEEDS = {"browser": missing_browser, "corpus": missing_corpus, "gpu": missing_gpu}
demanded = set(os.environ.get("DEEPNB_DEMAND", "").replace(",", " ").split())
ran = set()  # the marks of the tests whose body really ran


def pytest_configure(config):
    unknown = demanded - set(NEEDS)
    if unknown:
        raise pytest.UsageError(f"DEEPNB_DEMAND knows {sorted(NEEDS)}, got {sorted(unknown)}.")


def pytest_runtest_setup(item):
    for mark, missing in NEEDS.items():
        if item.get_closest_marker(mark) and (reason := missing()):
            (pytest.fail if mark in demanded else pytest.skip)(reason)


def pytest_runtest_logreport(report):
    if report.when == "call" and not report.skipped:
        ran.update(set(report.keywords) & set(NEEDS))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    again = session.config.getoption("lf", default=False)  # only what failed before: the first run demanded all
    if session.exitstatus == 0 and not again and (idle := demanded - ran):
        print(f"\nDEEPNB_DEMAND: no test marked {', '.join(sorted(idle))} ran.")
        session.exitstatus = 1


@pytest.fixture(scope="session")
def chromium():
    "The path of the browser; only for tests marked `browser`"
    return chromium_path()


@pytest.fixture(scope="session")
def corpus_folder():
    "The folder of the corpus; only for tests marked `corpus`"
    return corpus_path()


@pytest.fixture(scope="session")
def bundled():
    "The paths of the pictures that ship with the package, by name"
    from deepnb.core import data_path

    folder = data_path("data", "pictures")
    return sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png", ".webp"})
