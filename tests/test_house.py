"""The rules of the house (docs/MAP.md), held from the first day"""
import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {path.stem.split("_", 1)[1]: path for path in sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))}
NUMBER = {module: int(path.name[:2]) for module, path in PAGES.items()}
NOTEBOOKS = sorted(path for path in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
modules = pytest.mark.parametrize("module", PAGES)


def floor(module):
    return NUMBER[module] // 10 * 10


@cache
def tree(module):
    return ast.parse((ROOT / "deepnb" / f"{module}.py").read_text(encoding="utf-8"))


@cache
def imported(module):
    "The modules of deepnb that a module imports anywhere, also inside functions"
    names = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level == 0 and name.split(".")[0] != "deepnb":
                continue
            name = name if node.level else name.partition(".")[2]
            names |= {name.split(".")[0]} if name else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("deepnb.")}
    return names & set(PAGES)


@cache
def public(module):
    "The names a module gives (its generated `__all__`)"
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return tuple(ast.literal_eval(node.value))
    return ()


def functions(module):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree(module)) if isinstance(node, kinds)]


@cache
def code_cells(module):
    cells = json.loads(PAGES[module].read_text(encoding="utf-8"))["cells"]
    return [("".join(cell["source"]), cell["outputs"]) for cell in cells if cell["cell_type"] == "code"]


def is_exported(source):
    return re.search(r"^#\|\s*export", source, re.M) is not None


# 1 ------------------------------------------------------------------------------------------------


@modules
def test_a_page_imports_only_pages_with_a_lower_number(module):
    upward = {name for name in imported(module) if NUMBER[name] >= NUMBER[module]}
    assert not upward, f"{PAGES[module].name} imports {sorted(upward)}"


# 2 ------------------------------------------------------------------------------------------------

ALLOWED = {  # floor -> what it may know
    20: lambda name: name not in {"corpus", "zoo"},
    40: lambda name: floor(name) in {0, 20, 40} or name == "damage",
    50: lambda name: floor(name) in {0, 50},
}


@modules
def test_a_floor_knows_only_what_it_may(module):
    allowed = ALLOWED.get(floor(module), lambda name: True)
    strangers = {name for name in imported(module) if not allowed(name)}
    assert not strangers, f"{module} on floor {floor(module)} knows {sorted(strangers)}"


@pytest.mark.parametrize("module", [name for name in PAGES if floor(name) in {0, 50}])
def test_the_ground_and_the_showing_load_no_torch(module):
    code = f"import sys, deepnb.{module}; print(*({{'torch', 'captum'}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


# 3 ------------------------------------------------------------------------------------------------


def test_importing_deepnb_loads_nothing_heavy():
    heavy = "torch captum matplotlib seaborn pandas ipywidgets anywidget IPython numpy"
    code = f"import sys, deepnb; print(*(set({heavy!r}.split()) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_public_face_is_small_and_true():
    import deepnb

    assert len(deepnb.__all__) <= 10
    assert sorted(deepnb.__all__) == sorted(deepnb._HOMES), "each public name has a home"
    for name, home in deepnb._HOMES.items():
        assert name in public(home), f"deepnb.{name} is said to live in {home}, which does not give it"
    with pytest.raises(AttributeError, match="sepnb"):
        deepnb.sepnb  # noqa: B018


def test_the_version_has_one_source():
    import deepnb

    settings = (ROOT / "settings.ini").read_text(encoding="utf-8")
    assert re.search(r"^version = (.+)$", settings, re.M)[1] == deepnb.__version__


# 4 ------------------------------------------------------------------------------------------------


@modules
def test_no_public_function_bears_the_name_of_a_module(module):
    defined = {node.name for node in functions(module) if node in tree(module).body}
    assert not defined & set(PAGES) & set(public(module)), "once imported, the module would hide it in deepnb"


# 5 ------------------------------------------------------------------------------------------------


@modules
def test_a_module_is_short(module):
    lines = sum(len(source.splitlines()) for source, _ in code_cells(module) if is_exported(source))
    assert lines <= 400, f"{PAGES[module].name} exports {lines} lines"


@modules
def test_a_function_is_short(module):
    long = {node.name: n for node in functions(module) if (n := node.end_lineno - node.lineno + 1) > 40}
    assert not long, f"longer than 40 lines in {module}: {long}"


def test_no_room_is_a_lumber_room():
    assert not {"utils", "helpers", "common", "misc", "base"} & set(PAGES)


# 6 ------------------------------------------------------------------------------------------------


@modules
def test_every_public_name_has_a_docstring(module):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    bare = [
        node.name
        for node in tree(module).body
        if isinstance(node, kinds) and node.name in public(module) and not ast.get_docstring(node)
    ]
    assert not bare, f"without docstring in {module}: {bare}"


@modules
def test_every_public_name_is_shown_in_its_page(module):
    shown, waiting = set(), set(public(module))
    assert waiting, f"{PAGES[module].name} exports nothing"
    defined = False
    for source, _ in code_cells(module):
        if is_exported(source):
            defined = True
        elif defined:
            shown |= set(re.findall(r"\w+", re.sub(r"^\s*#.*$", "", source, flags=re.M)))
    unused = sorted(waiting - shown)
    assert not unused, f"exported by {PAGES[module].name} and never used there: {unused}"


# The pages as files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_is_light_and_clean(path):
    text = path.read_text(encoding="utf-8")
    page = json.loads(text)
    limit = 4_000_000 if path.parent.name in {"guides", "figures"} else 300_000
    assert len(text) <= limit, f"{path.name} has {len(text):,} bytes"
    assert "widgets" not in page["metadata"], "widget state does not belong into a committed page"
    outputs = [out for cell in page["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out["output_type"] == "error"], "a stored error"
    assert not re.search(r"/(work|root|home)/\w+", text), "a path of somebody's machine"


@modules
def test_a_page_opens_with_its_title_and_question(module):
    cells = json.loads(PAGES[module].read_text(encoding="utf-8"))["cells"]
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert prose[0].startswith(f"# {module}\n"), f"{PAGES[module].name} opens with its name"
    assert "\n> " in "\n".join(prose[:2]), "one line with > says what the room is for"
    if NUMBER[module] >= 20:
        assert any(text.startswith("## Limits") for text in prose), "from floor 2 up a page tells its limits"
