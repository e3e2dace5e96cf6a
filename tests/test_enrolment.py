"""Enrolling a maker and setting a threshold: what a person gets, from the shipped reader and real pictures"""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepnb.cli import main
from deepnb.core import ChoiceError, ProtocolError
from deepnb.enrolment import Enrolment, References, distinct, fit_known, judge_enrolment
from deepnb.picture import load
from deepnb.reader import Reader


@pytest.fixture(scope="module")
def reader():
    return Reader.load()


def by_hand(seed, count, side=160):
    "Pictures by a maker of its own: noise enlarged twice by repetition, each of another brightness"
    rng = np.random.default_rng(seed)
    small = [rng.integers(0, 150, (side // 2, side // 2, 3), dtype=np.uint8) + 12 * i for i in range(count)]
    return [pixels.repeat(2, axis=0).repeat(2, axis=1) for pixels in small]


@pytest.fixture(scope="module")
def enrolled(reader):
    return reader.enrolled("doubled noise", by_hand(0, 8))


def test_an_enrolled_maker_is_named_and_the_old_reader_stays_as_it_was(reader, enrolled):
    before = reader.settings.network.sources
    answer = enrolled.read(by_hand(1, 1)[0])
    assert answer.sources[0].name == "doubled noise"
    assert enrolled.settings.network.sources == (*before, "doubled noise")
    assert reader.settings.network.sources == before and reader.enrolments == ()
    assert enrolled.sha256 != reader.sha256


def test_the_score_of_generated_does_not_change(reader, enrolled):
    picture = by_hand(2, 1)[0]
    assert enrolled.read(picture).score == pytest.approx(reader.read(picture).score, abs=1e-5)


def test_an_enrolled_reader_is_saved_and_opened_again(enrolled, tmp_path):
    again = Reader.load(enrolled.save(tmp_path / "own"))
    assert again.enrolments == enrolled.enrolments and again.sha256 == enrolled.sha256
    picture = by_hand(3, 1)[0]
    assert again.read(picture).sources[0].name == enrolled.read(picture).sources[0].name
    assert "doubled noise" not in again.without("doubled noise").settings.network.sources


def test_what_was_learned_is_said_in_words(enrolled):
    assert enrolled.enrolments[0].pictures == 8
    assert enrolled.enrolments[0].sentence.startswith("doubled noise is known from 8 pictures")


def test_ten_copies_are_one_picture(reader):
    with pytest.raises(ProtocolError, match="of which 1 differ"):
        reader.enrolled("copies", by_hand(0, 1) * 10)


def test_a_copy_saved_again_is_no_other_picture():
    first = by_hand(0, 1)[0]
    again = np.asarray(Image.fromarray(first).resize((120, 120)).resize((160, 160)))
    assert distinct([first, again, by_hand(1, 2)[1]]) == [0, 2]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 61])
def test_a_name_must_be_one(reader, name):
    with pytest.raises(ChoiceError, match="1 to 60 printable"):
        reader.enrolled(name, by_hand(0, 6))


def test_a_known_name_and_an_unknown_one(reader):
    known = reader.settings.network.sources[0]
    with pytest.raises(ChoiceError, match="known already"):
        reader.enrolled(known, by_hand(0, 6))
    with pytest.raises(ChoiceError, match=known):
        reader.without(known + "x")


def test_small_pictures_teach_nothing(reader):
    with pytest.raises(ProtocolError, match="larger copies"):
        reader.enrolled("small", [load(pixels[:100, :100]) for pixels in by_hand(0, 6)])


def test_enrol_in_a_terminal(tmp_path, capsys):
    for i, pixels in enumerate(by_hand(0, 6)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    out = tmp_path / "own"
    assert main(["enrol", "ours", str(tmp_path), "--out", str(out)]) == 0
    assert "ours is known from 6 pictures" in capsys.readouterr().out
    assert main(["read", "--json", "--reader", str(out), str(tmp_path / "0.png")]) == 0
    assert json.loads(capsys.readouterr().out)["sources"][0]["name"] == "ours"
    assert main(["enrol", "ours", str(tmp_path / "0.png"), "--out", str(out)]) == 1
    assert "5 different pictures" in capsys.readouterr().err


def test_calibrate_in_a_terminal_wants_thirty_pictures(tmp_path, capsys):
    Image.fromarray(by_hand(0, 1)[0]).save(tmp_path / "one.png")
    assert main(["calibrate", "--camera", str(tmp_path), "--out", str(tmp_path / "own")]) == 1
    assert "30 different pictures" in capsys.readouterr().err


def test_a_threshold_of_ones_own_cameras(reader):
    rng = np.random.default_rng(5)
    pictures = [load(rng.normal(110, 25, (128, 128, 3)).clip(0, 255).astype(np.uint8)) for _ in range(30)]
    own = reader.calibrated(pictures)
    peak = max(reader.read(picture).score for picture in pictures)
    assert own.calibration.threshold >= peak, "none of these pictures is called generated untouched"
    assert (own.calibration.false_alarm.n, own.calibration.false_alarm.unit) == (30, "pictures")
    shares = [sum(f.k for f in one.calibration.found) for one in (reader, own)]
    assert (shares[0] >= shares[1]) == (reader.calibration.threshold <= own.calibration.threshold)


@given(st.integers(0, 10_000), st.integers(5, 9))
def test_a_maker_far_from_all_collides_with_none(seed, count):
    rng = np.random.default_rng(seed)
    axes = np.eye(12)
    points = axes[0] + 0.1 * rng.normal(size=(count, 12))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    held = References(axes[1:4], ("a", "b", "c"), np.full((3, 4), np.nan), np.full(3, 200))
    told, best = judge_enrolment("far", points, ("a", "b", "c"), axes[1:4], held)
    assert (told.found, told.mistaken, told.taken) == (1.0, (), ()) and (best > 0.5).all()
    assert "collides with none" in told.sentence and Enrolment.from_json(told.to_json()) == told


@given(st.integers(0, 10_000))
def test_the_line_rises_or_is_flat(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 6))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    slope, intercept = fit_known(points, ["a", "x"] * 20, ("a",), points[:2])
    assert slope > 0 or (slope, intercept) == (0.0, 0.0)


@pytest.mark.corpus
def test_a_network_never_seen_is_enrolled_from_ten_pictures(reader):
    from deepnb.core import seeded
    from deepnb.corpus import load_corpus

    corpus = load_corpus()
    items = [i for i in corpus.select(split="dev", kind=("aligned",)) if i.lineage == "lapsrn_x4"]
    order = seeded(0, "lapsrn").permutation(len(items))
    pictures = [load(corpus.pixels(items[i])) for i in order]
    made = reader.enrolled("lapsrn", pictures[:10])
    named = [made.read(picture).sources[0].name == "lapsrn" for picture in pictures[10:]]
    assert sum(named) >= len(named) / 2, "and a blind guess names one in a hundred"
