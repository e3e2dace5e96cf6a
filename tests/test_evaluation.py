"""evaluation: tables that recompute, blind rows at chance, alarms counted by device, anyone's own folders"""

import numpy as np
import pytest
from PIL import Image

from deepnb.calibration import Calibration
from deepnb.core import ChoiceError, ProtocolError
from deepnb.damage import TREATMENTS
from deepnb.evaluation import BLIND, count_alarms, evaluate, evaluate_folders, facts_alone, with_blind
from deepnb.reading import FalseAlarm
from deepnb.scores import PROTOCOLS, Scored, Scores


def table(skill=2.0, cameras=60, seed=0):
    "Scores of a toy model on camera and web photographs and on generated pictures"
    rng = np.random.default_rng(seed)
    pictures = [Scored(f"c{i}", "camera", 0, device=f"d{i // 3}", short_side=400) for i in range(cameras)]
    pictures += [Scored(f"w{i}", "dataset_real", 0, source=f"s{i // 4}", short_side=300) for i in range(80)]
    for i in range(100):
        pictures.append(Scored(f"g{i}", "generated", 1, f"n{i // 10}", seen=i < 50, short_side=300))
    labels = np.array([p.label for p in pictures])[:, None]
    return Scores(tuple(pictures), {"toy": rng.normal(skill * labels, 1, (len(pictures), 4))})


def test_blind_rows_stand_at_chance_and_the_rest_where_it_belongs():
    found = evaluate("generated", scores=table())
    assert [r.auc for r in found.of("generated", "constant")] == [0.5] * 4
    for chance, toy in zip(found.of("generated", "chance"), found.of("generated", "toy"), strict=True):
        assert chance.low < 0.5 < chance.high
        assert 0.8 < toy.low < toy.auc < toy.high <= 1
        assert (toy.made, toy.others, toy.generators, toy.sources) == (100, 140, 10, 40)


def test_a_table_recomputes_to_the_last_digit():
    assert str(evaluate(scores=table())) == str(evaluate(table()))


def test_unseen_leaves_out_generators_with_training_pictures():
    assert {r.generators for r in evaluate("unseen", scores=table()).results} == {5}


def test_pictures_without_a_score_leave_only_their_own_row():
    scores = table()
    values = scores.of("toy").copy()
    values[-1, 2] = np.nan
    rows = evaluate("generated", scores=scores.added("toy", values)).of("generated", "toy")
    assert [r.made for r in rows] == [100, 100, 99, 100]


@pytest.mark.parametrize(
    "asked, word",
    [
        ({"what": "unsen"}, "unseen"),
        ({"models": ["tony"]}, "toy"),
        ({"treatments": ["jpeg9"]}, "jpeg90"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(asked, word):
    with pytest.raises(ChoiceError, match=word):
        evaluate(**asked, scores=table())


def test_a_protocol_without_pictures_is_refused():
    with pytest.raises(ProtocolError, match="both sides"):
        evaluate("controls", scores=table())


def test_alarms_are_counted_by_device_and_found_shares_rise_with_skill():
    weak, strong = (count_alarms(table(skill), "toy") for skill in (1.0, 4.0))
    assert weak.false_alarm.n == strong.false_alarm.n == 20
    assert all(a < b for a, b in zip(weak.found, strong.found, strict=True))
    assert 0 <= weak.answered <= 1 and max(strong.web) < 0.2


def test_alarms_are_left_out_where_they_cannot_be_counted():
    assert evaluate("generated", scores=table(cameras=0)).alarms == ()
    assert evaluate("generated", scores=table(skill=-3.0)).alarms == ()


def test_printed_tables_name_models_treatments_and_counts():
    text = str(evaluate(scores=table()))
    for word in ("toy", "unseen generators", *TREATMENTS, *BLIND, "of 20", "100 pictures by 10 generators"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 120


def test_frame_has_a_row_for_each_result():
    pytest.importorskip("pandas")
    found = evaluate("generated", scores=table())
    frame = found.to_frame()
    assert len(frame) == 3 * 4 and {"auc", "low", "high", "model"} <= set(frame.columns)


def test_facts_alone_see_a_difference_and_do_not_invent_one():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    facts = rng.normal(0, 1, (200, 3))
    blind = facts_alone(facts, labels)
    told = facts_alone(facts + labels[:, None] * [3, 0, 0], labels)
    assert abs((blind[100:, None] > blind[:100]).mean() - 0.5) < 0.15
    assert (told[100:, None] > told[:100]).mean() > 0.95


class Smooth:
    "A reader whose only question is how smooth a picture is"

    name = "smooth"
    calibration = Calibration(1.0, 0.0, 0.0, FalseAlarm(0, 10, 0.26))

    def logits(self, pixels):
        return {"generated": float(5 - np.abs(np.diff(pixels.astype(float), axis=1)).mean())}


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for label, spread in (("real", 20), ("fake", 2)):
        for i in range(4):
            file = tmp_path / label / "sub" / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.clip(128 + rng.normal(0, spread, (140, 140, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    return tmp_path / "real", tmp_path / "fake"


def test_own_folders_get_a_table_a_facts_row_and_notes(folders):
    real, fake = folders
    (real / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    (real / ".hidden").write_text("x")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(fake / "small.png")
    found = evaluate_folders(Smooth(), real, fake, draws=50)
    assert [r.auc for r in found.of("your folders", "smooth")][0] == 1.0
    assert found.of("your folders", "file facts alone")
    text = str(found)
    assert "broken.png" in text and "hidden" not in text and "1 pictures are under 128 px" in text
    assert "0 of 4 real pictures are called generated" in text and "4 of 4" in text


def test_own_folders_are_refused_in_words(folders, tmp_path):
    with pytest.raises(ProtocolError, match="nowhere"):
        evaluate_folders(Smooth(), tmp_path / "nowhere", folders[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProtocolError, match="128 px"):
        evaluate_folders(Smooth(), folders[0], tmp_path / "empty")


def test_shipped_tables_recompute():
    found = evaluate(draws=50)
    assert {r.protocol for r in found.results} == set(PROTOCOLS)
    assert with_blind(table()).of("chance").shape == (240, 4)
