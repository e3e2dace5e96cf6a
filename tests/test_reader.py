"The shipped reader on the bundled pictures: what it promises, and answers that stay what they were"

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from deepnb.core import ChoiceError, PictureError, WeightsError, data_path
from deepnb.damage import LADDER
from deepnb.picture import load
from deepnb.reader import Reader, read
from deepnb.reading import Reading, Verdict
from deepnb.settings import list_readers

PICTURES = sorted(p for p in data_path("data", "pictures").iterdir() if p.suffix in (".jpg", ".png", ".webp"))
GOLDEN = json.loads((data_path("..").resolve() / "tests" / "golden.json").read_text())


@pytest.fixture(scope="module")
def reader():
    return Reader.load("default", device="cpu")


def test_the_weights_that_ship_are_the_measured_ones(reader):
    assert reader.sha256 == GOLDEN["reader"]
    assert data_path("weights", "default", "card.md").exists()
    assert sum(p.stat().st_size for p in data_path("weights", "default").iterdir()) < 12e6


@pytest.mark.parametrize("path", PICTURES, ids=lambda p: p.name)
def test_readings_stay_what_they_were(reader, path):
    reading, kept = reader.read(path), GOLDEN["pictures"][path.name]
    assert reading.verdict == kept["verdict"]
    assert reading.score == pytest.approx(kept["score"], abs=0.02)


def test_one_picture_one_answer(reader):
    first, second = reader.read(PICTURES[0]), reader.read(PICTURES[0].read_bytes())
    assert first.score == second.score
    assert (first.fingerprint == second.fingerprint).all()
    assert Reading.from_json(first.to_json()).verdict == first.verdict


def test_probabilities_are_probabilities(reader):
    reading = reader.read(PICTURES[1])
    assert sum(s.probability for s in reading.sources) + reading.unknown_source == pytest.approx(1, abs=1e-6)
    assert 0 <= reading.probability <= 1 and 0 <= reading.processed <= 1
    assert reading.score == pytest.approx(reading.crop_scores.mean(), abs=1e-4)
    for estimate in reading.hyperparameters:
        assert estimate.value in estimate.values and estimate.blind_guess is not None


def test_a_fingerprint_has_no_mean(reader):
    reading = reader.read(PICTURES[0])
    assert np.abs(reading.fingerprint.mean((0, 1))).max() < 0.02


def test_a_picture_smaller_than_all_camera_pictures_is_said_to_be(reader):
    calibration = dataclasses.replace(reader.calibration, threshold=-99.0)
    sure = Reader(reader.trained, dataclasses.replace(reader.settings, calibration=calibration))
    said = {side: sure.read(load(PICTURES[3]).pixels[:side, :side]).sentence for side in (160, 320)}
    assert "larger than this picture" in said[160] and "larger than this picture" not in said[320]


def test_a_drawing_gets_no_verdict(reader):
    rng = np.random.default_rng(0)
    page = np.full((300, 400, 3), 250, np.uint8)
    page[40:140, 60:260] = rng.integers(0, 256, (100, 200, 3), dtype=np.uint8)  # a photograph on a page
    held = reader.read(page)
    assert held.verdict is Verdict.cannot_say and [note.code for note in held.scope] == ["drawn"]
    assert "diagrams and screenshots" in held.sentence


def test_stress_says_what_reading_says_and_warns_where_mild_damage_changes_it(reader):
    for path in PICTURES[:4]:
        stress = reader.stress(path, ladder=LADDER[:6])
        assert stress.steps[0].verdict == reader.read(path).verdict
        mild = {step.verdict for step in stress.steps[:3]}
        assert stress.holds == (len(mild) == 1)
        assert stress.sentence.startswith("Do not rely on this answer") == (not stress.holds)


def test_small_and_flat_pictures_get_no_verdict(reader):
    picture = load(PICTURES[0])
    assert reader.read(picture.pixels[:100, :100]).verdict is Verdict.cannot_say
    flat = reader.read(np.full((300, 300, 3), 128, np.uint8))
    assert flat.verdict is Verdict.cannot_say and flat.scope[0].code == "flat"
    with pytest.raises(PictureError):
        reader.read(picture.pixels[:20, :20])


def test_every_score_is_a_finite_function_of_the_pixels(reader):
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        values = [reader.score(name)(x).item() for name in reader.scores]
    assert np.isfinite(values).all()
    one, other = reader.settings.network.sources[:2]
    assert reader.score(f"source:{one}", against=other)(x) == -reader.score(f"source:{other}", against=one)(x)
    with pytest.raises(ChoiceError, match="generated"):
        reader.score("generatd")


def test_a_picture_is_like_itself_and_stress_begins_with_the_picture(reader):
    same = reader.compare(PICTURES[0], PICTURES[0])
    assert same.probability > reader.compare(PICTURES[0], PICTURES[2]).probability
    stress = reader.stress(PICTURES[0], ladder=LADDER[:3])
    assert stress.steps[0].score == pytest.approx(reader.read(PICTURES[0]).score, abs=1e-4)


@pytest.mark.parametrize("name", ["weights.safetensors", "reader.json"])
def test_one_altered_byte_is_noticed(tmp_path, name):
    folder = shutil.copytree(data_path("weights", "default"), tmp_path / "reader")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(WeightsError, match=name):
        Reader.load(folder)


def test_readers_are_named():
    assert "default" in list_readers()
    with pytest.raises(ChoiceError, match="default"):
        Reader.load("defalt")


def test_read_takes_a_reader_of_ones_own(reader):
    class Sure(torch.nn.Module):
        "Answers as the shipped network does, but is always sure"

        def __init__(self):
            super().__init__()
            self.inner, self.heads = reader.network, reader.network.heads

        def forward(self, x):
            return {**self.inner(x), "generated": torch.full((len(x),), 99.0)}

    assert read(PICTURES[2], reader=Reader(Sure(), reader.settings)).verdict is Verdict.generated
