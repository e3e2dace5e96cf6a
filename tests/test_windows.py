"""Windows: maps that cover a picture, parts that stand out, words for wrong questions"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepnb.cli import main
from deepnb.core import ChoiceError
from deepnb.picture import load
from deepnb.reader import Reader
from deepnb.windows import WindowMap, score_windows, window_boxes
from deepnb.zoo import load_member, members, pass_through


@pytest.fixture(scope="module")
def reader():
    return Reader.load()


@given(st.integers(32, 3000), st.integers(32, 3000), st.integers(32, 96), st.integers(1, 700))
@settings(max_examples=60)
def test_windows_lie_inside_and_reach_every_edge(width, height, side, most):
    side = min(side, width, height)
    boxes = window_boxes(width, height, side=side, most=most)
    assert len(boxes) <= most and (boxes[:, 2:] - boxes[:, :2] == side).all()
    assert boxes.min() >= 0 and boxes[:, 2].max() <= width and boxes[:, 3].max() <= height
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    if most >= 600 and max(width, height) < 700:
        covered = WindowMap("x", boxes, np.zeros(len(boxes)), (width, height)).pixels()
        assert not np.isnan(covered).any(), "nothing is left out of a small picture"


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=12))
def test_a_map_is_the_mean_over_each_pixel(values):
    boxes = np.array([[3 * i, 0, 3 * i + 6, 5] for i in range(len(values))])
    found = WindowMap("x", boxes, np.array(values), (3 * len(values) + 6, 5))
    pixels = found.pixels()
    assert np.nanmin(pixels) >= min(values) - 1e-9 and np.nanmax(pixels) <= max(values) + 1e-9
    assert pixels[0, 0] == pytest.approx(values[0]) and np.isnan(pixels[0, -1])


def test_a_square_by_a_small_network_stands_out(reader, bundled):
    picture = load(next(path for path in bundled if path.name == "e_object.jpg")).pixels[:384, :384]
    member = load_member(None, next(c.name for c in members(None) if c.design.kind == "super_resolution"))
    altered = picture.copy()
    altered[160:288, 96:224] = pass_through(member, picture)[160:288, 96:224]
    before, after = (score_windows(reader, pixels).pixels() for pixels in (picture, altered))
    rise = after - before
    assert rise[192:256, 128:192].mean() > 0.5, "the square is seen"
    assert np.abs(rise[:96]).max() < 1e-4, "and nothing else has changed"


def test_a_terminal_lists_the_windows(bundled, capsys):
    assert main(["windows", str(bundled[0])]) == 0
    assert "no verdict" in capsys.readouterr().out
    assert main(["windows", "--json", "--score", "generated", "--side", "96", str(bundled[0])]) == 0
    told = json.loads(capsys.readouterr().out)
    values = [row["value"] for row in told["windows"]]
    assert told["score"] == "generated" and values == sorted(values, reverse=True)


@pytest.mark.parametrize("asked, words", [({"score": "procesed"}, "processed"), ({"side": 31}, "32 to"), ({"side": 9000}, "32 to")])
def test_wrong_questions_are_answered_in_words(reader, bundled, asked, words):
    with pytest.raises(ChoiceError, match=words):
        score_windows(reader, bundled[0], **asked)


@pytest.mark.parametrize("style", ["light", "dark"])
def test_a_map_is_drawn_over_the_picture_and_hatches_what_was_not_read(style):
    from samples import sample_reading

    from deepnb.panels import plot_map

    record = sample_reading().picture
    values = np.zeros((record.height, record.width))
    whole = len(plot_map(record, values, label="logits", style=style).collections)
    values[:100] = np.nan
    ax = plot_map(record, values, label="logits", boxes=[(0, 0, 9, 9)], style=style)
    assert len(ax.collections) > whole and ax.get_xlim() == (0, record.width)
