"""The pages as a small web site in _docs/, without Quarto and without the network: python docs/build.py

Takes each page of nbs/ as it is stored, outputs and all, hides the directives (`#| ...`) and the cells marked
`#| hide`, and lays a list of the pages beside it. Nothing is run.
"""
import html
import re
import shutil
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "_docs"
STYLE = Path(__file__).with_name("pages.css").read_text(encoding="utf-8")


def shown(cell):
    return not re.search(r"^#\|\s*(hide|default_exp)\b", cell.source, re.M)


def body(path):
    "The HTML of one page, and its title"
    page = nbformat.read(path, 4)
    page.cells = [cell for cell in page.cells if shown(cell)]
    for cell in page.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.M)
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    first = next((cell.source for cell in page.cells if cell.cell_type == "markdown"), path.stem)
    return exporter.from_notebook_node(page)[0], first.splitlines()[0].lstrip("# ")


def target(path):
    return path.relative_to(ROOT / "nbs").with_suffix(".html")


def navigation(pages, here):
    up, links, folder = "../" * (len(target(here).parts) - 1), [], None
    for path, title in pages:
        if path.parent.name != folder:
            folder = path.parent.name
            links.append(f"<b>{html.escape('Rooms' if folder == 'nbs' else folder.title())}</b>")
        number = path.name[:2] if path.name[:2].isdigit() else ""
        links.append(f'<a href="{up}{target(path).as_posix()}">{number} {html.escape(title)}</a>')
    return "\n".join(links)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    paths = [path for path in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts]
    paths.sort(key=lambda path: (path.stem != "index", path.parent.name != "guides", str(path)))
    made = {path: body(path) for path in paths}
    pages = [(path, title) for path, (_, title) in made.items()]
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("default", "monokai"))
    style = f"{STYLE}\n{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"
    for path, (content, title) in made.items():
        place = OUT / target(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>{html.escape(title)} - deepnb</title>"
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style>'
            f"<nav>{navigation(pages, path)}</nav><main>{content}</main></html>",
            encoding="utf-8",
        )
    for pattern in ("*.png", "*.svg"):
        for picture in (ROOT / "nbs").rglob(pattern):
            shutil.copy(picture, OUT / picture.relative_to(ROOT / "nbs"))
    print(f"{OUT.name}/: {len(made)} pages. Start with {OUT.name}/index.html")


if __name__ == "__main__":
    main()
