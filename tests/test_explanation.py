"""Explanations of scores whose attributions are known by hand: exact values, agreeing sums, named refusals"""
import json

import numpy as np
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

from deepnb.coalitions import TOGETHER, Coalitions, ScoreError, checked_score, two_ended  # noqa: E402
from deepnb.core import ChoiceError, PictureError  # noqa: E402
from deepnb.explanation import BASELINES, METHODS, Settings, describe, explain  # noqa: E402
from deepnb.parts import PartsError, bands, joint, regions, split  # noqa: E402
from deepnb.reading import Explanation  # noqa: E402
from deepnb.receipts import deletion, insertion, randomized, receipt  # noqa: E402
from deepnb.waves import WAYS, Blocks  # noqa: E402

ANY = [name for name, row in METHODS.items() if row.parts not in ("regions", "at most 10")]
COMPLETE = [name for name in ANY if METHODS[name].complete]
FITTED = ("kernel_shap", "lime")  # these ask for two coalitions a part at least
small = joint(regions=(2, 2), bands=3)
few = settings(max_examples=12, deadline=None)


def game_of(pixels, score, plan, start=0.4):
    x = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
    height, width = pixels.shape[:2]
    return Coalitions(checked_score(score), x, torch.full_like(x, start), plan, (height, width),
                      np.array([[0, 0, width, height]]))


def by_hand(explanation, pixels, weight, plan):  # <weight, part k of picture - baseline>
    start = BASELINES[explanation.baselines].of(np.moveaxis(pixels, -1, 0)[None] / 255)
    change = plan.of(np.moveaxis(np.moveaxis(pixels, -1, 0) / 255 - start[0], 0, -1))
    weight = weight.detach().numpy()
    owed = [np.vdot(weight, np.moveaxis(change.component(k), -1, 0)) for k in range(len(plan))]
    return np.array(owed, np.float64)


def samples(method, count):
    return None if method in FITTED else count


@pytest.mark.parametrize("waves", WAYS)
@pytest.mark.parametrize("method", ["integrated_gradients", "ablation"])
def test_every_way_of_parting_waves_is_explained_exactly(waves, method):
    pixels, score = toys.texture(49, 66), toys.Linear(49, 66)
    plan = joint(regions(lasso=[(5, 6), (50, 10), (30, 44)]), waves)
    found = explain(pixels, score=score, parts=plan, method=method, receipt=False)
    assert found.values == pytest.approx(by_hand(found, pixels, score.weight, plan), abs=1e-3)
    assert found.areas.shape == (49, 66) and set(found.areas.ravel()) == {0, 1}
    assert Explanation.from_json(found.to_json()) == found
    assert len(found.by_band()) == len(plan.bands.names) and found.sentence


@pytest.mark.parametrize("method", ANY)
@pytest.mark.parametrize("baselines", BASELINES)
def test_a_linear_score_owes_each_part_its_inner_product(method, baselines):
    pixels, score = toys.texture(49, 66), toys.Linear(49, 66)
    found = explain(pixels, score=score, parts=small, method=method, baselines=baselines,
                    n_samples=samples(method, 2), receipt=False)
    right = by_hand(found, pixels, score.weight, small)
    if method == "occlusion":  # blocks of 2 x 2 regions, here the whole grid
        right = np.tile(right.reshape(4, 3).mean(0), 4)
    tolerance = 1e-2 if method == "lime" else 1e-4  # its ridge draws values a little to zero
    assert found.values == pytest.approx(right, abs=tolerance * np.abs(right).sum())
    if METHODS[method].complete:
        assert abs(found.convergence_delta) < 1e-4 * np.abs(right).sum()


@few
@given(st.integers(32, 80), st.integers(32, 80), st.integers(0, 999), st.sampled_from(COMPLETE))
def test_complete_methods_are_exact_at_any_size(height, width, seed, method):
    pixels, score = toys.texture(height, width, seed=seed), toys.Linear(height, width, seed=seed)
    plan = joint(regions=(3, 2), bands=2)
    found = explain(pixels, score=score, parts=plan, method=method, n_samples=samples(method, 2), n_steps=2,
                    receipt=False)
    right = by_hand(found, pixels, score.weight, plan)
    assert found.values == pytest.approx(right, abs=1e-4 * np.abs(right).sum() + 1e-6)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    assert found.score == pytest.approx(float(score(x).detach()), abs=1e-4)
    assert found.covered.all() and found.read_boxes.tolist() == [[0, 0, width, height]]


@few
@given(st.integers(32, 80), st.integers(32, 80), st.integers(0, 999))
def test_sums_over_bands_regions_and_pixels_agree(height, width, seed):
    pixels, score = toys.texture(height, width, seed=seed), toys.Network(seed)
    ask = {"score": score, "receipt": False, "n_steps": 4}
    plans = joint((3, 4), 5), regions((3, 4)), bands(5)
    both, where, waves = (explain(pixels, parts=plan, **ask) for plan in plans)
    scale = max(1e-3, np.abs(both.values).sum())
    assert both.by_region() == pytest.approx(where.values, abs=1e-4 * scale)
    assert both.by_band() == pytest.approx(waves.values, abs=1e-4 * scale)
    assert both.values.sum() == pytest.approx(both.raw.sum(), abs=1e-4 * scale)
    assert both.convergence_delta == pytest.approx(both.values.sum() - both.score + both.baseline_score)


def test_the_split_is_integrated_gradients_over_the_coefficients():
    from captum.attr import IntegratedGradients

    game = game_of(toys.texture(40, 52), toys.Network(3), small)
    gradient = IntegratedGradients(game.score, multiply_by_inputs=False).attribute(
        game.inputs, baselines=game.baselines, n_steps=6)
    ones = torch.ones(1, 12)
    of_coefficients = IntegratedGradients(lambda masks: game(masks)).attribute(ones, n_steps=6)
    assert split(gradient, game.inputs - game.baselines, plan=small) == pytest.approx(
        of_coefficients[0].numpy(), abs=1e-4)


@pytest.mark.parametrize("method", ["integrated_gradients", "two_ended", "antithetic"])
def test_parts_that_meet_in_pairs_share_evenly(method):
    score, plan = toys.Product(40, 44), joint((2, 2), 2)
    game = game_of(toys.texture(40, 44), score, plan)
    pictures = torch.stack([game.pictures(row) for row in torch.eye(len(plan))])[:, 0] - game.baselines
    right = score.owed(game.baselines[0], pictures).detach().double().numpy()
    ends = tuple(game(torch.stack([torch.zeros(8), torch.ones(8)])).tolist())
    values, _ = METHODS[method].run(game, Settings(n_samples=2, n_steps=4, ends=ends))
    assert values == pytest.approx(right, abs=2e-3 * np.abs(right).max())


def test_shapley_sampling_nears_the_antithetic_values_and_repeats():
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32))
    ask = {"score": toys.Detector(), "parts": joint((2, 2), 2), "receipt": False}
    first, again = (explain(pixels, method="shapley_sampling", n_samples=6, seed=4, **ask) for _ in "ab")
    assert (first.values == again.values).all()
    better = explain(pixels, method="antithetic", n_samples=12, **ask)
    assert np.corrcoef(first.values, better.values)[0, 1] > 0.95


def test_a_planted_wave_is_found_and_the_receipt_agrees():
    pixels = toys.planted(256, 256, box=(128, 64, 192, 128), cycles=0.25, level=25)
    why = explain(pixels, reader=toys.ToyReader(crop=128), n_steps=8)
    assert why.parts[int(why.values.argmax())].region == 6
    assert why.matrix()[:, 3:5].sum() > 0.8 * why.values.sum()
    assert why.receipt.verdict == "explains", why.receipt
    assert "row 2 column 3 (upper right)" in why.sentence and why.sentence == describe(why)
    assert len(why.read_boxes) == 4 and why.covered.all()
    assert why.reader.name == "toy" and why.score_name == "generated"


def test_an_explanation_survives_json():
    why = explain(toys.texture(64, 64), reader=toys.ToyReader(), parts=small)
    back = Explanation.from_json(json.loads(json.dumps(why.to_json())))
    assert back == why
    line = json.loads(why.to_line())
    assert len(line["parts"]) == 12
    assert line["receipt"]["verdict"] in {"explains", "does not explain", "cannot tell"}
    assert len(why.to_frame()) == 12


def test_only_the_ground_that_was_read_is_explained():
    pixels = toys.texture(300, 700)
    why = explain(pixels, reader=toys.ToyReader(), parts=regions((6, 10)), receipt=False)
    assert len(why.read_boxes) == 4 and not why.covered.all() and why.covered.any()
    assert (why.values[~why.covered] == 0).all() and "Only the ground that was read" in why.sentence
    for left, top, right, bottom in why.read_boxes:
        assert 0 <= left < right <= 700 and 0 <= top < bottom <= 300 and right - left == 64


@pytest.mark.parametrize(("score", "against", "name"), [
    (("source", "a"), "b", "source:a rather than b"),
    ("source:a", ("source", "b"), "source:a rather than b"),
    (("up_sampling", "nearest"), None, "up_sampling:nearest"),
    (None, None, "generated"),
])
def test_any_score_of_the_reader_can_be_asked(score, against, name):
    why = explain(toys.texture(64, 64), score=score, against=against, reader=toys.ToyReader(), parts=small,
                  receipt=False, n_steps=2)
    assert why.score_name == name


def test_one_callable_against_another_and_a_picture_as_baseline():
    with_wave, plain = (toys.planted(64, 64, box=(0, 0, 32, 32), level=level) for level in (12, 0))
    score, other = toys.Linear(64, 64, seed=1), toys.Linear(64, 64, seed=2)
    ask = {"baselines": plain, "parts": regions((2, 2)), "receipt": False}
    why = explain(with_wave, score=score, against=other, **ask)
    alone = [explain(with_wave, score=one, **ask) for one in (score, other)]
    assert why.values == pytest.approx(alone[0].values - alone[1].values, abs=1e-4)
    assert np.abs(why.values[3]) < 1e-3 * np.abs(why.values[0]) and why.baselines == "picture"


def test_a_far_baseline_says_so():
    why = explain(toys.texture(64, 64), score=toys.Network(), baselines="gray", parts=small, receipt=False)
    assert "far from the picture" in why.sentence


@pytest.mark.parametrize(("ask", "error", "words"), [
    ({"score": "generate"}, ChoiceError, "Nearest: generated"),
    ({"score": ("source", "c")}, ChoiceError, "source:a"),
    ({"method": "integrated_gradient"}, ChoiceError, "Nearest: integrated_gradients"),
    ({"baselines": "grey"}, ChoiceError, "gray"),
    ({"baselines": np.zeros((9, 9, 3))}, PartsError, "size of its picture"),
    ({"parts": 6}, PartsError, "joint"),
    ({"parts": regions((65, 2))}, PartsError, "Ask for fewer regions"),
    ({"parts": regions(boxes=[(0, 0, 99, 9)])}, PartsError, "outside"),
    ({"method": "occlusion", "parts": bands()}, PartsError, "grid"),
    ({"score": toys.broken}, ScoreError, "finite numbers, but broken gave"),
    ({"score": toys.blind}, ScoreError, "has none"),
    ({"score": lambda x: x.mean()}, ScoreError, "1 numbers for 1 pictures"),
    ({"score": lambda x: (x - x).sqrt().mean((1, 2, 3))}, ScoreError, "gradient of the score"),
    ({"score": toys.Network(), "against": "b"}, ScoreError, "callable"),
    ({"score": "same"}, ScoreError, "pass it as against="),
    ({"method": "exact_shapley"}, PartsError, "at most 10 parts, got 96"),
    ({"method": "kernel_shap", "n_samples": 191}, ScoreError, "n_samples=192 or more"),
    ({"method": "lime", "n_samples": 25}, ScoreError, "too few"),
    ({"method": "grad_cam"}, PartsError, "without bands"),
    ({"method": "grad_cam", "parts": regions()}, ScoreError, "Pass layer="),
    ({"method": "deep_lift", "score": lambda x: x.mean((1, 2, 3))}, ScoreError, "needs a torch module"),
    ({"method": "deep_lift", "score": toys.Detector(), "baselines": "gray"}, ScoreError, "no module Captum knows"),
    ({"score": lambda x: x.sub_(0.5).mean((1, 2, 3))}, ScoreError, "in place"),
    ({"score": lambda x: (s := x.mean((1, 2, 3)).sigmoid(), t := s * s, s.mul_(2), t)[3]}, ScoreError, "overwrites"),
    ({"score": lambda x: x.mean((1, 2, 3)) + 1000 * torch.rand(1)}, ScoreError, "for the same picture"),
    ({"score": torch.nn.Sequential(torch.nn.Dropout(0.5), toys.Linear(64, 64)).train()}, ScoreError, "network.eval"),
])
def test_what_cannot_be_answered_is_refused_with_the_choices(ask, error, words):
    with pytest.raises(error, match=words):
        explain(toys.texture(64, 64), reader=toys.ToyReader(), **ask)


@few
@given(st.integers(1, 6), st.integers(0, 999))
def test_exact_shapley_is_the_mean_over_all_orders(count, seed):
    from itertools import permutations

    plan = bands(count)
    game = game_of(toys.texture(32, 36, seed=seed), toys.Network(seed), plan)
    ends = tuple(game(torch.stack([torch.zeros(count), torch.ones(count)])).tolist())
    values, scores = METHODS["exact_shapley"].run(game, Settings(ends=ends))
    right = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        there = 0
        for k in order:
            after = there | 1 << (count - 1 - k)
            right[k] += (scores[after] - scores[there]) / len(orders)
            there = after
    assert values == pytest.approx(right, abs=1e-6)
    alone = game(torch.eye(count)).tolist()
    assert [scores[1 << (count - 1 - k)] for k in range(count)] == pytest.approx(alone, abs=1e-5)


def test_kernel_shap_nears_the_exact_values():
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32))
    ask = {"score": toys.Detector(), "parts": bands(6), "receipt": False}
    exact = explain(pixels, method="exact_shapley", **ask)
    fitted = explain(pixels, method="kernel_shap", n_samples=400, **ask)
    assert np.abs(fitted.values - exact.values).max() < 0.05 * np.abs(exact.values).max()
    assert abs(exact.convergence_delta) < 1e-6 and abs(fitted.convergence_delta) < 1e-3


@pytest.mark.parametrize("method", ["gradient_shap", "noise_tunnel"])
def test_means_of_gradients_near_integrated_gradients_and_repeat(method):
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32))
    ask = {"score": toys.Detector(), "parts": small, "receipt": False, "n_samples": 20}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (explain(pixels, method=method, seed=3, **ask) for _ in "ab")
    assert (first.values == again.values).all()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert np.corrcoef(first.values, explain(pixels, **ask).values)[0, 1] > 0.95


def activated(bend):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5), bend, torch.nn.Conv2d(8, 1, 3, stride=2),
                                   torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


def test_deep_lift_is_complete_where_activations_are_modules_and_leaves_no_hooks():
    class Function(torch.nn.Module):
        def forward(self, x):
            return torch.tanh(30 * x)

    class Scaled(torch.nn.Module):
        def forward(self, x):
            return 30 * x

    ask = {"parts": small, "receipt": False, "method": "deep_lift", "baselines": "gray"}
    network = activated(torch.nn.Sequential(Scaled(), torch.nn.Tanh()))
    why = explain(toys.texture(64, 64), score=network, **ask)
    assert abs(why.convergence_delta) < 1e-3 * abs(why.score - why.baseline_score)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    with pytest.raises(ScoreError, match="no module Captum knows"):
        explain(toys.texture(64, 64), score=activated(Function()), **ask)


def test_grad_cam_points_at_the_planted_wave_and_takes_a_layer():
    detector = toys.Detector()
    first = torch.nn.Sequential(detector.filter, torch.nn.Hardtanh())

    def score(x):
        return first(x).square().mean((1, 2, 3))

    pixels = toys.planted(128, 128, box=(64, 0, 128, 64), level=25)
    why = explain(pixels, score=score, parts=regions((2, 2)), method="grad_cam", layer=first[1], receipt=False)
    assert why.raw.shape == (1, 1, 128, 128) and why.values.sum() == pytest.approx(why.raw.sum(), rel=1e-4)


def test_memory_does_not_grow_with_the_number_of_parts():
    pixels = toys.texture(96, 128)
    few_parts, many = (game_of(pixels, toys.Network(), joint(regions=grid, bands=2)) for grid in ((2, 2), (48, 64)))
    sizes = []
    for game in (few_parts, many):
        assert torch.allclose(game.pictures(torch.ones(len(game.plan))), game.inputs, atol=1e-5)
        sizes.append(sum(some.numel() * some.element_size() for some in game._where))
    assert len(many.plan) == 6144 and sizes[1] < 4 * sizes[0]


def test_bands_that_are_not_kept_give_the_same_pictures(monkeypatch):
    kept = game_of(toys.texture(40, 52), toys.Network(), small)
    monkeypatch.setattr("deepnb.coalitions.KEPT", 0)
    monkeypatch.setattr("deepnb.coalitions.STRIP", 1)
    made_anew = game_of(toys.texture(40, 52), toys.Network(), small)
    mask = torch.linspace(0, 1, 12)
    assert torch.allclose(kept.pictures(mask), made_anew.pictures(mask), atol=1e-6)
    assert made_anew.energy() == pytest.approx(kept.energy()) and not made_anew._filter[2]


def test_crops_that_go_through_apart_say_the_same(monkeypatch):
    ask = {"reader": toys.ToyReader(), "parts": small, "most": 6}
    together = explain(toys.texture(256, 320), **ask)
    monkeypatch.setattr("deepnb.coalitions.TOGETHER", 64 * 64)
    apart = explain(toys.texture(256, 320), **ask)
    assert len(together.read_boxes) == 6
    assert apart.values == pytest.approx(together.values, abs=1e-4 * np.abs(together.values).sum())
    assert apart.receipt.verdict == together.receipt.verdict


def test_own_modules_are_shuffled_in_a_full_receipt():
    pixels = toys.planted(96, 96, box=(0, 0, 48, 48), level=20)
    why = explain(pixels, score=toys.Detector(), parts=small, receipt="full")
    assert why.receipt.randomized is not None and why.receipt.randomized < 0.999


def test_a_small_picture_is_refused():
    with pytest.raises(PictureError, match="at least 32 px"):
        explain(toys.texture(31, 90), score=toys.Network())


def test_a_score_without_a_gradient_can_be_asked_by_coalitions():
    pixels = toys.texture(40, 40)
    ask = {"parts": small, "receipt": False, "n_samples": 2}
    values = explain(pixels, score=toys.blind, method="antithetic", **ask).values
    smooth = explain(pixels, score=lambda x: x.mean((1, 2, 3)), **ask).values
    assert values == pytest.approx(smooth, abs=1e-5)


def test_curves_end_at_baseline_and_picture():
    game = game_of(toys.texture(40, 40), toys.Network(), small)
    none, every = game(torch.stack([torch.zeros(12), torch.ones(12)])).tolist()
    rise, fall = insertion(game, range(12)), deletion(game, range(12), ends=(none, every))
    assert rise[[0, -1], 1] == pytest.approx([none, every], abs=1e-5)
    assert fall[[0, -1], 1] == pytest.approx([every, none], abs=1e-5)
    assert rise[:, 0] == pytest.approx(fall[:, 0]) and (np.diff(rise[:, 0]) > 0).all()


def test_receipts_refuse_what_is_wrong_or_random():
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32), level=25)
    game = game_of(pixels, toys.Detector(), small, start=0.5)
    right = two_ended(game)
    ends = tuple(game(torch.stack([torch.zeros(12), torch.ones(12)])).tolist())
    assert receipt(game, right, ends=ends).verdict == "explains"
    assert receipt(game, -right, ends=ends).verdict == "does not explain"
    wrong = receipt(game, right, ends=ends, convergence_delta=ends[1] - ends[0])
    assert wrong.verdict == "does not explain" and "not accounted for" in wrong.reasons[0]
    assert receipt(game, right, ends=ends, shuffled=right).verdict == "cannot tell"
    assert receipt(game, right, ends=(1.0, 1.0)).verdict == "cannot tell"


def test_values_in_the_wrong_place_or_band_disagree_there_and_only_there():
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32), level=25)
    game = game_of(pixels, toys.Detector(), joint((2, 2), 3), start=0.5)
    right = two_ended(game)
    ends = tuple(game(torch.stack([torch.zeros(12), torch.ones(12)])).tolist())
    table = right.reshape(4, 3)
    held, elsewhere, other = (receipt(game, values.ravel(), ends=ends) for values in (table, table[::-1], table[:, ::-1]))
    assert min(held.region_agreement, held.band_agreement) > 0.9
    assert elsewhere.region_agreement < 0.8 < elsewhere.band_agreement and elsewhere.verdict != "explains"
    assert other.band_agreement < 0.8 < other.region_agreement and other.verdict != "explains"


def test_what_there_is_one_of_is_not_asked():
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32), level=25)
    for plan, missing in ((bands(6), "region_agreement"), (regions((2, 3)), "band_agreement")):
        found = explain(pixels, score=toys.Detector(), parts=plan).receipt
        given = {"band_agreement", "region_agreement"} - {missing}
        assert getattr(found, missing) is None and getattr(found, given.pop()) > 0.5


def test_an_explanation_that_says_nothing_is_refused():
    pixels = toys.planted(64, 64, box=(0, 0, 32, 32), level=25)
    game = game_of(pixels, toys.Detector(), joint((2, 2), 3), start=0.5)
    ends = tuple(game(torch.stack([torch.zeros(12), torch.ones(12)])).tolist())
    said = receipt(game, np.zeros(12), ends=ends)
    assert said.verdict == "does not explain" and said.band_agreement == said.region_agreement == 0


def test_regions_around_one_middle_are_asked_one_by_one():
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    found = explain(toys.planted(64, 64, box=(16, 16, 48, 48), level=25), score=toys.Detector(), parts=regions(mask=mask)).receipt
    assert found.region_agreement is not None


def test_coalitions_are_asked_together_as_they_are_alone():
    seen = []

    def score(x):
        seen.append(x.shape[0] * x.shape[2] * x.shape[3])
        return toys.Detector()(x)

    game = game_of(toys.planted(64, 64, box=(0, 0, 32, 32), level=25), score, small, start=0.5)
    masks = torch.rand(3 * game.together + 1, 12, generator=torch.Generator().manual_seed(0))
    together = game(masks)
    assert len(seen) == 4 and max(seen) <= TOGETHER
    alone = torch.cat([game(mask[None]) for mask in masks[:: game.together]])
    assert torch.allclose(together[:: game.together], alone, atol=1e-5)


def test_many_bands_are_asked_in_groups():
    class Counted(torch.nn.Module):
        crops = 0

        def forward(self, x):
            Counted.crops += len(x)
            return x.mean((1, 2, 3))

    plan = joint((8, 8), Blocks(single=True))
    game = game_of(toys.texture(64, 64), Counted(), plan, start=0.5)
    receipt(game, np.arange(float(len(plan))), ends=(0.0, 1.0))
    assert len(plan) == 64 * 64 and Counted.crops == 4 * 4 + 2 * (8 + 4 + 4) + 1


def test_a_receipt_that_fails_names_a_far_baseline():
    ask = {"score": toys.Network(), "parts": joint((2, 2), 3), "method": "lime", "seed": 1, "n_samples": 30}
    said = {name: explain(toys.texture(64, 64), baselines=name, **ask).receipt for name in BASELINES}
    assert any(found.verdict != "explains" for found in said.values())
    for name, found in said.items():
        named = any("far from the picture" in reason for reason in found.reasons)
        assert named == (BASELINES[name].far and found.verdict != "explains"), name


def test_the_likeness_to_shuffled_weights_comes_with_the_reader():
    reader = toys.NetworkReader()
    pixels, ask = toys.planted(96, 96, box=(0, 0, 48, 48), level=20), {"reader": reader}
    assert explain(pixels, **ask).receipt.randomized is None
    reader.randomized = {"generated": 0.25}
    assert explain(pixels, **ask).receipt.randomized == 0.25
    for other in ({"baselines": "gray"}, {"parts": small}, {"method": "two_ended"}):  # it was measured for another question
        assert explain(pixels, **{**ask, **other}).receipt.randomized is None
    assert explain(pixels, **ask, receipt="full").receipt.randomized != 0.25
    reader.randomized = {"generated": 0.9}
    assert any("shuffled weights" in reason for reason in explain(pixels, **ask).receipt.reasons)


def test_a_score_that_changes_its_mind_is_noticed():
    draw = torch.Generator().manual_seed(0)
    def moody(x):
        return 5 * x.mean((1, 2, 3)) + torch.rand(1, generator=draw)

    game = game_of(toys.texture(40, 40), moody, small)
    made = receipt(game, np.arange(12.0), ends=(0.0, 3.0))
    assert made.verdict != "explains" and any("asked again" in reason for reason in made.reasons)


def test_a_full_receipt_measures_jpeg_and_shuffled_weights():
    reader = toys.NetworkReader()
    why = explain(toys.planted(96, 96, box=(0, 0, 48, 48), level=20), reader=reader, parts=small, receipt="full", n_steps=4)
    assert -1 <= why.receipt.jpeg90 <= 1 and -1 <= why.receipt.randomized <= 1
    assert 0 <= why.receipt.infidelity < 1 and why.receipt.max_sensitivity >= 0
    bare = explain(toys.planted(96, 96, box=(0, 0, 48, 48), level=20), reader=reader, parts=small, n_steps=4).receipt
    assert bare.infidelity is None and bare.max_sensitivity is None
    assert torch.equal(reader.network.filter.weight, toys.Detector().filter.weight)


def test_shuffled_weights_are_the_same_numbers_and_the_network_stays():
    network = toys.Network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shuffled = randomized(network, seed=3)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(value.ravel().sort().values, shuffled.state_dict()[name].ravel().sort().values)
    assert not torch.equal(network.layers[0].weight, shuffled.layers[0].weight)
    assert torch.equal(randomized(network, seed=3).layers[0].weight, shuffled.layers[0].weight)


def test_nothing_is_changed_on_the_way():
    pixels, score = toys.texture(64, 64), toys.Network()
    kept, threads, state = pixels.copy(), torch.get_num_threads(), torch.get_rng_state()
    explain(pixels, score=score, parts=small, method="shapley_sampling", n_samples=1)
    assert (pixels == kept).all() and torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_the_shipped_reader_is_asked_for_the_same_source_and_by_grad_cam():
    from deepnb.core import data_path
    from deepnb.picture import load
    from deepnb.reader import Reader

    reader = Reader.load("default", device="cpu")
    first, second = sorted(data_path("data", "pictures").glob("*.jpg"))[:2]
    pixels, other = (load(path).pixels[:128, :128] for path in (first, second))
    why = explain(pixels, score="same", against=other, reader=reader, parts=regions((2, 2)), receipt=False)
    assert why.score == pytest.approx(reader.compare(pixels, other).score, abs=1e-3)  # one crop: the same number
    itself = explain(pixels, score="same", against=pixels, reader=reader, parts=regions((2, 2)), receipt=False)
    assert itself.score == pytest.approx(sum(reader.settings.same), abs=1e-3) and itself.score > why.score
    for shuffled in (False, "full"):
        seen = explain(pixels, method="grad_cam", reader=reader, parts=regions((2, 2)), receipt=shuffled)
        assert np.abs(seen.values).sum() > 0


@pytest.mark.slow
def test_the_shipped_reader_is_explained():
    from deepnb.core import data_path
    from deepnb.reader import Reader

    reader = Reader.load("default")
    path = sorted(data_path("data", "pictures").glob("*.jpg"))[0]
    why = explain(path, reader=reader, n_steps=8)
    assert why.reader.sha256 == reader.sha256
    assert abs(why.convergence_delta) < 0.25 * np.abs(why.values).sum()
    for name in (next(n for n in reader.scores if n.startswith("source:")), "up_sampling:nearest"):
        other = explain(path, score=name, reader=reader, parts=bands(3), n_steps=4, receipt=False)
        assert other.score_name == name and np.isfinite(other.values).all()
