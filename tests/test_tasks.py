"""Sources, hyperparameters, pairs and probabilities: tables that a stranger recomputes without the corpus"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepnb.answers import answer_corpus, read_answers
from deepnb.cli import main
from deepnb.core import ChoiceError, ProtocolError
from deepnb.corpus import Corpus, Item
from deepnb.damage import TREATMENTS
from deepnb.reader import Reader
from deepnb.reliability import judge_calibration
from deepnb.scores import Scored, Scores, read_scores, score_corpus
from deepnb.tasks import judge_tasks, lineage_mean, same_sources


@pytest.fixture(scope="module")
def answers():
    return read_answers()


@pytest.mark.parametrize("task", ["source", "parsing", "same", "family"])
def test_a_terminal_prints_the_table(capsys, task):
    assert main(["evaluate", task]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and all(name in lines[0] for name in (*TREATMENTS, "blind"))
    many = [line.count("[") for line in lines[1:]]
    assert set(many) <= {0, len(TREATMENTS)} and sum(many) > 0, "an interval each, or none where lineages are too few"


def test_a_terminal_prints_how_the_probabilities_hold(capsys):
    assert main(["evaluate", "calibration"]) == 0
    said = capsys.readouterr().out
    assert "slope" in said and "Brier" in said and "100%" in said


def test_what_ships_is_of_the_reader_that_ships(answers):
    reader = Reader.load()
    network = reader.settings.network
    assert (answers.reader, answers.sources, answers.fields) == (reader.name, network.sources, network.fields)
    directions = reader.trained.heads.directions.numpy()
    assert np.abs(answers.prototypes - directions).max() < 2e-3
    held = answers.scores().of(reader.name)
    assert np.abs(held - read_scores().of(reader.name)).max() < 0.02


def test_an_informative_field_is_one_that_the_table_bears_out(answers):
    from deepnb.tasks import informative_fields, parsed_fields

    found = informative_fields(parsed_fields(answers))
    assert {name: good for name, good, _ in Reader.load().settings.fields if name in found} == found


def test_what_was_seen_in_training_is_among_the_lineages(answers):
    seen = {p.lineage for p in answers.pictures if p.seen}
    assert seen and seen <= {*answers.lineages} and {*answers.sources} <= {*answers.lineages}


def test_a_wrong_name_lists_the_right_ones(capsys):
    with pytest.raises(ChoiceError, match="source"):
        judge_tasks("sources")
    assert main(["evaluate", "everything"]) == 2
    assert "calibration" in capsys.readouterr().err


def test_answers_that_are_none(tmp_path):
    (tmp_path / "odd.safetensors").write_bytes(b"no answers")
    with pytest.raises(ProtocolError, match="odd.safetensors holds no answers"):
        read_answers(tmp_path / "odd.safetensors")


def test_answers_come_back_as_they_were_written(answers, tmp_path):
    again = read_answers(answers.write(tmp_path / "again.safetensors"))
    assert again.pictures == answers.pictures and str(judge_tasks("same", answers=again)) == str(
        judge_tasks("same", answers=answers)
    )


class Grey:
    "A reader that answers with the mean gray of three crops; it counts what it was asked"

    name, asked = "grey", 0
    settings = SimpleNamespace(network=SimpleNamespace(sources=("net",), fields=(("adversarial", ("no", "yes")),)))
    network = SimpleNamespace(heads=SimpleNamespace(prototypes=torch.tensor([[3.0, 4.0]])))
    trained = SimpleNamespace(heads=SimpleNamespace(log_scale=torch.tensor(0.0)))

    def answers(self, pixels):
        self.asked += 1
        gray = float(pixels.mean() / 255)
        spread = np.array([gray - 0.1, gray, gray + 0.1])
        return {"generated": spread, "embedding": np.tile([gray, 1.0], (3, 1)), "slots": np.tile([gray, -gray], (3, 1))}, None

    def logits(self, pixels):
        return {"generated": self.answers(pixels)[0]["generated"].mean()}


@pytest.fixture
def corpus(tmp_path):
    "Two pictures to learn from, three to choose by, one of which is too small"
    items = []
    for i, (split, side) in enumerate((("train", 140), ("train", 140), ("dev", 140), ("dev", 150), ("dev", 100))):
        Image.fromarray(np.full((side, side, 3), 40 * i, np.uint8)).save(tmp_path / f"{i}.png")
        kind, maker = ("generated", "net") if i in (0, 2) else ("camera", "")
        items.append(Item(f"{i}.png", split, kind, maker, maker, width=side, height=side, sha256=f"{i:x}" * 64))
    return Corpus(tmp_path, tuple(items))


def test_a_corpus_is_answered_as_it_is_scored_and_gone_on_with(corpus, tmp_path):
    reader, kept = Grey(), tmp_path / "answers.jsonl"
    found = answer_corpus(reader, corpus, keep=kept, workers=1, progress=False)
    scored = score_corpus(reader, corpus, keep=tmp_path / "scores.jsonl", workers=1, progress=False)
    assert found.pictures == scored.pictures and [p.seen for p in found.pictures] == [True, False]
    assert np.allclose(found.scores().of("grey"), scored.of("grey"), atol=1e-4)
    assert found.embedding.shape == found.slots.shape == (2, len(TREATMENTS), 2)
    assert np.allclose(np.linalg.norm(found.embedding, axis=2), 1) and np.allclose(found.prototypes, [[0.6, 0.8]])
    assert (found.trained, found.lineages, found.scale) == (("net",), ("net",), 1.0)
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text(lines[0] + lines[1][:20])
    before = reader.asked
    again = answer_corpus(reader, corpus, keep=kept, workers=1, progress=False)
    assert reader.asked == before + len(TREATMENTS), "only the line that was cut is asked for again"
    assert np.array_equal(again.embedding, found.embedding) and np.array_equal(again.slots, found.slots)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=30))
def test_each_lineage_has_one_vote(votes):
    values, lineages = [float(v) for _, v in votes], [name for name, _ in votes]
    mean, low, high = lineage_mean(values, lineages, draws=50)
    means = [np.mean([v for v, n in zip(values, lineages, strict=True) if n == name]) for name in set(lineages)]
    assert mean == pytest.approx(np.mean(means))
    assert low <= mean + 1e-9 and mean <= high + 1e-9 if len(means) > 2 else np.isnan(low)


def world(seed, *, slope=1.0, makers=40, each=5):
    "Scores whose probabilities are right when `slope` is 1"
    rng = np.random.default_rng(seed)
    pictures, values = [], []
    for i in range(makers):
        kind, label = ("generated", 1) if i % 2 else ("camera", 0)
        for j in range(each):
            pictures.append(Scored(f"{i}-{j}", kind, label, str(i) * label, device=f"d{i}", short_side=300))
            values.append(rng.normal(2 * label - 1, np.sqrt(2), 4))
    return Scores(tuple(pictures), {"toy": slope * np.array(values)})


@pytest.mark.parametrize("slope", [0.3, 1.0, 4.0])
def test_calibration_undoes_the_scale_of_the_logits(slope):
    found = judge_calibration(world(0, slope=slope), "toy", draws=50)
    assert found.slope[1] < 1 < found.slope[2] + 0.1
    assert all(low < 1.1 and high > 0.9 for _, low, high in found.slopes.values())
    assert found.brier[0] < 0.22 and found.risk(0.2) <= found.risk(1.0)


def test_calibration_needs_both_kinds():
    scores = world(0)
    only = [i for i, p in enumerate(scores.pictures) if p.label == 1]
    made = Scores(tuple(scores.pictures[i] for i in only), {"toy": scores.of("toy")[only]})
    with pytest.raises(ProtocolError, match="one kind only"):
        judge_calibration(made, "toy")


def test_pairs_of_one_photograph_do_not_count(answers):
    rows = [row for row in same_sources(answers) if row.task == "same source, matched"]
    kept = [p for p in answers.pictures if p.kind == "aligned" and p.label == 1 and not p.seen]
    pairs = sum(a.photograph != b.photograph for i, a in enumerate(kept) for b in kept[:i])
    assert {row.pictures for row in rows} == {pairs}
