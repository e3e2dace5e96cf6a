"""What is written to people is true of the code: commands, targets, names, links, the README's own lines"""
import ast
import importlib
import json
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest

from deepnb.cli import make_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs" / "MAP.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
PAPERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/MAP.md")]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def shell_lines():
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


def command_names():
    return sorted(make_parser()._subparsers._group_actions[0].choices)


def index_text():
    cells = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_in_the_readme(name):
    assert f"deepnb {name}" in README


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("deepnb")])
def test_a_command_of_the_readme_parses(line):
    args = make_parser().parse_args(shlex.split(line)[1:])
    assert callable(args.run)


@pytest.mark.parametrize("paper", [*PAPERS, "index"], ids=lambda paper: getattr(paper, "name", paper))
def test_a_make_target_that_is_named_exists(paper):
    text = index_text() if paper == "index" else paper.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.M))
    assert {one or other for one, other in named} <= targets


def test_the_readme_names_the_two_commands():
    assert {"make demo", "make test"} <= set(shell_lines())


def test_the_index_says_what_the_readme_says():
    first = README.split("\n\n")[1]
    assert first in index_text() and "make demo" in index_text()


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_a_link_leads_somewhere(paper):
    targets = re.findall(r"\]\(([^)#:]+)\)", paper.read_text(encoding="utf-8"))
    gone = [target for target in targets if not (paper.parent / target).exists()]
    assert not gone, f"{paper.name} links to {gone}"


def test_the_map_says_of_each_room_what_its_page_says():
    rooms = runpy.run_path(str(ROOT / "docs" / "rooms.py"))["rows"]()
    lines = {f"{line}\n" for line in MAP.splitlines() if re.match(r"\| \d\d \|", line)}
    stale = sorted(set(rooms) ^ lines)
    assert not stale, f"python docs/rooms.py writes the map anew: {stale}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_public_name_tells_what_it_is(page):
    module = importlib.import_module(f"deepnb.{page.stem.split('_', 1)[1]}")
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value) and getattr(value, "__module__", "").startswith("deepnb."):
            assert (value.__doc__ or "").strip(), f"{module.__name__}.{name} has no docstring"
            first = value.__doc__.strip().splitlines()[0]
            assert not first.startswith(f"{name}("), f"the docstring of {name} is the generated one"


def test_the_newest_change_is_of_this_version():
    from deepnb import __version__

    headings = re.findall(r"^## (\S+),? (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0][0].rstrip(",") == __version__


def test_the_citation_is_of_this_version():
    from deepnb import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)", citation, re.M)[1] == __version__


def test_the_extras_of_the_readme_exist():
    settings = (ROOT / "settings.ini").read_text(encoding="utf-8")
    extras = {"all", "dev", *re.findall(r"^extra_(\w+)", settings, re.M)}
    named = set(re.findall(r"\[(\w+)\]\"", README + index_text()))
    assert named and named <= extras


@pytest.mark.parametrize("block", blocks("python"))
def test_a_block_of_the_readme_runs(block, bundled, tmp_path, monkeypatch, capsys):
    shutil.copy(next(path for path in bundled if path.suffix == ".jpg"), tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(ast.parse(block), "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert len(said.split()) > 8, "the README's lines answer in words"
    assert (tmp_path / "case.html").stat().st_size > 10_000


def test_no_paper_names_a_machine_or_a_registry():
    others = [ROOT / name for name in ("Makefile", "constraints.txt", "settings.ini", "setup.py")]
    for path in (*PAPERS, *others, *(ROOT / ".ci").iterdir()):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert not re.search(r"/(work|root|home)/|pypi\.|pythonhosted|download\.pytorch", text), path.name
