"""Draw the picture of the README: the answer for the first bundled picture, and its reasons

    python docs/answer.py

The first picture by name, not chosen after seeing its answer.
"""

import io
from pathlib import Path

from PIL import Image

import deepnb
from deepnb.core import data_path
from deepnb.figures import plot_explanation, plot_reading
from deepnb.panels import figure_png

if __name__ == "__main__":
    first = sorted(p for p in data_path("data", "pictures").iterdir() if p.suffix in (".jpg", ".png", ".webp"))[0]
    drawn = [plot_reading(deepnb.read(first)), plot_explanation(deepnb.explain(first))]
    pages = [Image.open(io.BytesIO(figure_png(figure))).convert("RGB") for figure in drawn]
    width = min(page.width for page in pages)
    pages = [page.resize((width, round(page.height * width / page.width))) for page in pages]
    sheet = Image.new("RGB", (width, sum(page.height for page in pages)), "white")
    top = 0
    for page in pages:
        sheet.paste(page, (0, top))
        top += page.height
    sheet.quantize(128).save(Path(__file__).parent / "answer.png", optimize=True)
    print(f"docs/answer.png, {sheet.width} x {sheet.height}, of {first.name}")
