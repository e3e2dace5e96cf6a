"""The zoo: designs drawn evenly, members grown the same way twice, pictures of any size, refusals in words"""
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deepnb.cli import main
from deepnb.core import ChoiceError, CorpusError, PictureError, WeightsError, data_path, sha256_hex
from deepnb.design import BOUND, FACTORS, FIXED, associations, draw_designs, free_factors, with_twins

torch = pytest.importorskip("torch")

from deepnb import zoo  # noqa: E402
from deepnb.lesson import gather_photographs  # noqa: E402

PICTURES = data_path("data", "pictures")
SHIPPED = [card.name for card in zoo.members()]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def photographs():
    return gather_photographs(PICTURES)


@pytest.fixture(scope="module")
def designs():
    "One of each kind, as small as its kind allows"
    small = {"steps": (2,), "kernel": 3, "layers": 1, "blocks": 1, "width": 8}
    drawn = draw_designs(60)
    return [replace(next(d for d in drawn if d.kind == kind), **small) for kind in FIXED]


@pytest.fixture
def two_count(monkeypatch):
    "Floors under which VQ and restorer count after a few steps, and nothing else"
    _two_count(monkeypatch)


def _two_count(patch):
    patch.setattr(zoo, "quality_floor", lambda design: 1.0 if design.kind in ("vq", "restorer") else 60.0)
    patch.setattr(zoo, "has_converged", lambda loss, values: loss != "kl")


@pytest.fixture(scope="module")
def grown(photographs, designs, tmp_path_factory):
    "A folder in which two of six members count"
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        _two_count(patch)
        return folder, zoo.grow(designs, photographs, folder=folder, steps=4)


def contents(folder):
    "What a folder holds, without the time that it took"
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            found[path.name] = {k: v for k, v in json.loads(path.read_text()).items() if k != "seconds"}
        else:
            found[path.name] = sha256_hex(path.read_bytes())
    return found


# Designs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_no_factor_tells_another(seed):
    found = associations(draw_designs(300, seed=seed))
    assert {kind for kind, *_ in found} == set(FIXED)
    assert max(found.values()) < BOUND == 0.15


def test_twins_keep_the_factors_even_and_are_forty():
    twins = with_twins(draw_designs(300))
    seeds = [design for design in twins if design.seed == 1]
    assert len(seeds) >= 40 and {replace(design, seed=0) for design in seeds} <= set(twins)
    assert len({design.kind for design in seeds}) == len(FIXED), "every kind has twins"
    assert max(associations(twins).values()) < BOUND


def test_every_value_of_every_free_factor_is_drawn():
    drawn = draw_designs(300)
    for kind in FIXED:
        for name in free_factors(kind):
            assert {getattr(d, name) for d in drawn if d.kind == kind} == set(FACTORS[name]), (kind, name)


# Growing --------------------------------------------------------------------------------------------


def test_a_member_below_the_floor_keeps_its_card_and_says_why(grown, two_count):
    folder, cards = grown
    assert [card.design.kind for card in cards if card.counts] == ["vq", "restorer"]
    assert len(list(folder.glob("*.json"))) == 6 and len(list(folder.glob("*.safetensors"))) == 2
    poor = next(card for card in cards if card.design.kind == "vae")
    assert "counts from 60 dB on" in json.loads((folder / f"{poor.name}.json").read_text())["why"]


def test_a_run_that_was_cut_goes_on_to_the_same_folder(grown, two_count, photographs, designs, tmp_path):
    folder, cards = grown
    shutil.copytree(folder, tmp_path / "cut")
    for path in (tmp_path / "cut").iterdir():
        if path.stem in (designs[2].name, designs[5].name):
            path.unlink()
    (tmp_path / "cut" / f"{designs[2].name}.safetensors.new").write_bytes(b"half")
    zoo.grow(designs, photographs, folder=tmp_path / "cut", steps=4)
    assert contents(tmp_path / "cut") == contents(folder)


def test_a_folder_grown_otherwise_is_refused(grown, photographs, designs):
    with pytest.raises(CorpusError, match="Name another folder"):
        zoo.grow(designs, photographs, folder=grown[0], steps=5)
    with pytest.raises(CorpusError, match="Name another folder"):
        zoo.grow(designs, photographs[:4], folder=grown[0], steps=4)


def test_a_loss_that_did_not_hold_is_no_label():
    design = replace(draw_designs(1)[0], adversarial="hinge", pixel_loss="l1")
    card = zoo.Card(design, {}, 40.0, ("l1",), 1.0, 1, 1.0)
    assert "adversarial" not in card.hyperparameters
    assert replace(card, losses=("l1", "hinge")).hyperparameters["adversarial"] is True
    none = replace(card, design=replace(design, adversarial="none"))
    assert none.hyperparameters["adversarial"] is False


# Members --------------------------------------------------------------------------------------------


def test_a_handful_ships_and_counts():
    cards = zoo.members()
    assert 5 <= len(cards) <= 8 and all(card.counts for card in cards)
    assert sum(path.stat().st_size for path in zoo.shipped_zoo().iterdir()) < 600_000
    assert len({card.design.kind for card in cards}) >= 5


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_member_takes_odd_sizes_and_answers_the_same_twice(name):
    member = zoo.load_member(None, name)
    for shape in ((32, 32), (33, 47), (50, 101)):
        picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        made = zoo.pass_through(member, picture)
        assert made.shape == picture.shape and made.dtype == np.uint8
        assert np.array_equal(made, zoo.pass_through(member, picture))


def test_what_is_no_picture_is_refused():
    member = zoo.load_member(None, SHIPPED[0])
    for wrong in (np.zeros((31, 40, 3), np.uint8), np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3))):
        with pytest.raises(PictureError, match="pass_through needs"):
            zoo.pass_through(member, wrong)


def test_broken_files_are_refused_in_words(tmp_path):
    name = SHIPPED[0]
    for path in zoo.shipped_zoo().glob(f"{name}*"):
        shutil.copy(path, tmp_path)
    weights, card = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.json"
    whole, said = weights.read_bytes(), json.loads(card.read_text())
    weights.write_bytes(whole[:-10])
    with pytest.raises(WeightsError, match="is not the file that was meant"):
        zoo.load_member(tmp_path, name)
    weights.write_bytes(b"no tensors at all")
    card.write_text(json.dumps(said | {"sha256": sha256_hex(b"no tensors at all")}))
    with pytest.raises(WeightsError, match="do not fit its design"):
        zoo.load_member(tmp_path, name)
    weights.unlink()
    with pytest.raises(WeightsError, match="is missing"):
        zoo.load_member(tmp_path, name)
    for text in (b"{", b"[]", b"\xff\xfe", json.dumps(said | {"quality_db": "good"}).encode()):
        card.write_bytes(text)
        with pytest.raises(CorpusError, match=f"{name}.json is not a card"):
            zoo.load_member(tmp_path, name)
    with pytest.raises(ChoiceError, match=name):
        zoo.load_member(None, name[:-1])


# The door -------------------------------------------------------------------------------------------


def test_the_terminal_grows_shows_and_draws(tmp_path, capsys):
    words = ["zoo", str(tmp_path / "zoo"), "--count", "1", "--steps", "3", "--photographs", str(PICTURES)]
    assert main(words) == 0
    assert "0 of 1 count" in capsys.readouterr().out
    assert main(["zoo", str(tmp_path / "zoo"), "--show"]) == 0
    assert "counts from 26 dB on" in capsys.readouterr().out
    assert main(["zoo", "--show"]) == 0
    assert all(name in capsys.readouterr().out for name in SHIPPED[:1])
    out = tmp_path / "out.png"
    assert main(["zoo", "--draw", SHIPPED[0], str(PICTURES / "a_scene.jpg"), str(out)]) == 0
    with Image.open(out) as made, Image.open(PICTURES / "a_scene.jpg") as seen:
        assert made.size == seen.size


def test_the_terminal_refuses_in_words(tmp_path, capsys):
    picture = str(PICTURES / "a_scene.jpg")
    assert main(["zoo", "--draw", "lion", picture, str(tmp_path / "o.png")]) == 2
    assert main(["zoo", "--draw", SHIPPED[0], picture, str(tmp_path / "o.jpg")]) == 2
    assert main(["zoo", str(tmp_path), "--show"]) == 1
    assert main(["zoo", str(tmp_path), "--count", "1", "--photographs", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    for words in ("There is no member of the zoo 'lion'", "keeps every pixel", "There is no zoo in", "no readable photograph"):
        assert words in told
