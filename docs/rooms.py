"""Write the table of rooms in docs/MAP.md from the pages themselves: python docs/rooms.py"""
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = "| page | module | the question it answers |\n|---|---|---|\n"


def rows():
    "One line of the table for each page: number, module, and the line that opens it with >"
    for page in sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        question = re.search(r"^> (.+)$", prose, re.M)[1]
        number, module = page.stem.split("_", 1)
        yield f"| {number} | `{module}` | {question} |\n"


def main():
    path = ROOT / "docs" / "MAP.md"
    text = path.read_text(encoding="utf-8")
    table = re.compile(re.escape(HEAD) + r"(\|.*\n)*")
    path.write_text(table.sub(lambda match: HEAD + "".join(rows()), text), encoding="utf-8")


if __name__ == "__main__":
    main()
