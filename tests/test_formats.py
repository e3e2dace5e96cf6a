"""Every odd, rare, broken and hostile file of the corpus is read or refused in words"""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest

from deepnb.core import PictureError
from deepnb.picture import load
from deepnb.provenance import claims, condition

CORPUS = Path(os.environ.get("DEEPNB_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not (CORPUS / "manifest.csv").exists(), reason=f"no corpus at {CORPUS}; set DEEPNB_CORPUS"
    ),
]


def rows():
    if not (CORPUS / "manifest.csv").exists():
        return {"missing": None}
    with (CORPUS / "manifest.csv").open(newline="", encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["kind"] == "format"]
    return {row["path"].removeprefix("formats/"): row for row in found}


ROWS = rows()
READ_THOUGH_ODD = {"e6c8a3"}  # its first frame is harmless, and no more is decoded
REFUSED_THOUGH_SOUND = {  # what is not read, by decision or because no decoder at hand does
    "0d13ac": "unsupported",  # ICO
    "8e89a5": "unsupported",  # JPEG 2000
    "819253": "unsupported",  # QOI
    "d23201": "too_small",  # one pixel
    "21ebb3": "unreadable",  # AVIF that libavif refuses
    "2bafef": "unreadable",  # HEIC without a primary picture
    "f28f44": "unreadable",  # CMYK TIFF that Pillow does not know
}


@pytest.mark.parametrize("name", ROWS)
def test_each_file_is_read_or_refused_in_words(name):
    row = ROWS[name]
    key, expected = name[:6], row["notes"].partition("expected: ")[2].partition(" |")[0]
    began = time.monotonic()
    try:
        picture = load(CORPUS / row["path"])
    except PictureError as error:
        assert str(error).isprintable() and error.name in str(error) and error.what_to_do.endswith(".")
        assert REFUSED_THOUGH_SOUND.get(key, error.cause) == error.cause
        assert key in REFUSED_THOUGH_SOUND or "refuse" in expected, error
    else:
        assert not expected.startswith("refuse") or key in READ_THOUGH_ODD
        assert picture.display.shape == picture.pixels.shape
        assert condition(picture).sentence
        assert all(claim.value.isprintable() for claim in claims(picture))
        check_expected(picture, expected, row)
    assert time.monotonic() - began < 10


def check_expected(picture, expected, row):
    notes = " ".join(picture.notes)
    if "scale to 8 bit" in expected:
        assert "upper 8" in notes and picture.bit_depth == 16
    if "composite" in expected and picture.alpha is not None:
        assert "laid on white" in notes
    if expected.startswith("first") and row["width"] != "0":
        assert "only" in notes
    if "ignore orientation" in expected:
        assert picture.orientation == 1
    if expected in ("exif_transpose", "as above"):
        assert picture.orientation > 1 and "upright" in notes
    if "HDR" in expected:
        assert "high dynamic range" in notes


@pytest.mark.parametrize("name", [name for name in ROWS if "testimg" in name or "hopper_gray" in name])
def test_sound_files_decode_as_pillow_decodes_them(name):
    from PIL import Image

    path = CORPUS / ROWS[name]["path"]
    assert np.array_equal(load(path).pixels, np.asarray(Image.open(path).convert("RGB")))


def test_a_sample_of_the_corpus_is_read_with_true_sizes():
    with (CORPUS / "manifest.csv").open(newline="", encoding="utf-8") as file:
        known = [row for row in csv.DictReader(file) if row["split"] in ("train", "dev")]
    chosen = np.random.default_rng(0).choice(len(known), 40, replace=False)
    for row in (known[k] for k in chosen):
        picture = load(CORPUS / row["path"])
        size = picture.size if picture.orientation < 5 else picture.size[::-1]
        assert size == (int(row["width"]), int(row["height"])) and picture.sha256 == row["sha256"]
        assert condition(picture).sentence
