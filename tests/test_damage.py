"""damage: plans are values, their results are deterministic, one plan can serve both sides of a pair"""

import numpy as np
import pytest

from deepnb.core import ChoiceError
from deepnb.damage import KERNELS, LADDER, MIN_RESIZED_SIDE, TREATMENTS, Damage, Save, damaged, draw_damage

SIZES = [(32, 32), (33, 200), (96, 64), (160, 160), (251, 317)]


def scene(height, width, seed=0):
    "A picture with gradients and detail"
    y, x = np.mgrid[:height, :width]
    waves = [128 + 60 * np.sin(x / (7 + c)) + 40 * np.cos(y / (5 + c)) for c in range(3)]
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 3))
    return np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_every_drawn_plan_gives_a_picture_twice_the_same_and_leaves_the_input_alone(size):
    pixels = scene(*size)
    before = pixels.copy()
    rng = np.random.default_rng(size)
    for _ in range(40):
        plan = draw_damage(rng)
        result = damaged(pixels, plan)
        assert result.dtype == np.uint8 and result.ndim == 3 and result.shape[2] == 3
        assert min(result.shape[:2]) >= MIN_RESIZED_SIDE
        assert result.flags.writeable
        np.testing.assert_array_equal(result, damaged(pixels, plan))
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("plan", [*TREATMENTS.values(), *LADDER], ids=lambda plan: plan.name)
@pytest.mark.parametrize("size", SIZES)
def test_fixed_plans_change_the_size_only_by_their_factor(plan, size):
    height, width = damaged(scene(*size), plan).shape[:2]
    kept = [min(side, max(MIN_RESIZED_SIDE, round(side * plan.keep))) for side in size]
    factor = min(1, max(plan.scale, MIN_RESIZED_SIDE / min(kept)))
    assert abs(height - kept[0] * factor) <= 1 and abs(width - kept[1] * factor) <= 1


def test_same_plan_on_equal_sizes_gives_equal_sizes_whatever_is_shown():
    rng = np.random.default_rng(3)
    for _ in range(50):
        plan = draw_damage(rng)
        assert damaged(scene(160, 120, 1), plan).shape == damaged(scene(160, 120, 2), plan).shape


def test_law_of_draws():
    rng = np.random.default_rng(0)
    draws = [draw_damage(rng, webp=0.1) for _ in range(5000)]
    last = [d.last for d in draws if d.last]
    jpeg = [s for s in last if s.format == "JPEG"]
    assert np.mean([d.first is not None for d in draws]) == pytest.approx(0.30, abs=0.03)
    assert np.mean([d.scale != 1 for d in draws]) == pytest.approx(0.55, abs=0.03)
    assert len(last) / len(draws) == pytest.approx(0.80, abs=0.03)
    assert np.mean([s.format == "WEBP" for s in last]) == pytest.approx(0.10, abs=0.02)
    assert np.mean([s.subsampling == "4:2:0" for s in jpeg]) == pytest.approx(2 / 3, abs=0.03)
    assert {min(s.quality for s in jpeg), max(s.quality for s in jpeg)} == {50, 100}
    assert all(0.5 <= d.scale <= 1.5 for d in draws)
    assert np.mean([d.blur > 0 for d in draws]) == pytest.approx(0.08, abs=0.02)
    assert np.mean([d.noise > 0 for d in draws]) == pytest.approx(0.08, abs=0.02)
    assert {d.kernel for d in draws} == set(KERNELS)


def test_more_damage_leaves_less():
    pixels = scene(200, 200).astype(float)

    def error(plan):
        return np.sqrt(np.mean((damaged(pixels.astype(np.uint8), plan) - pixels) ** 2))

    by_quality = [error(Damage(last=Save("JPEG", q))) for q in (98, 90, 75, 60)]
    assert by_quality == sorted(by_quality) and by_quality[0] > 0
    assert error(Damage(noise=2)) == pytest.approx(2, rel=0.1)
    assert error(Damage(blur=0.5)) < error(Damage(blur=2))


def test_noise_hangs_on_the_seed_of_the_plan():
    pixels = scene(64, 64)
    first, again, other = (damaged(pixels, Damage(noise=3, seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_crop_leaves_the_jpeg_grid():
    y, x = np.mgrid[:160, :160]
    pixels = np.stack([x, y, x], axis=-1).astype(np.uint8)
    left, top = damaged(pixels, Damage(keep=0.8))[0, 0, :2]
    assert left % 8 and top % 8


def test_names_are_distinct_and_words_say_what_happens():
    assert list(TREATMENTS) == ["untouched", "jpeg90", "jpeg75", "half"]
    assert len({plan.name for plan in LADDER}) == len(LADDER)
    assert TREATMENTS["half"].words == "resized to 50% (bicubic), saved as JPEG 90"


@pytest.mark.parametrize(
    "wrong, word",
    [
        (lambda: Damage(kernel="nearest"), "nearest"),
        (lambda: Damage(keep=0), "keep"),
        (lambda: Damage(scale=-1), "scale"),
        (lambda: Save("PNG"), "PNG"),
        (lambda: Save(quality=101), "101"),
        (lambda: Save(subsampling="4:1:1"), "4:1:1"),
        (lambda: damaged(np.zeros((8, 8), np.uint8), Damage()), "(8, 8)"),
        (lambda: damaged(np.zeros((8, 8, 3)), Damage()), "float64"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(wrong, word):
    with pytest.raises((ChoiceError, ValueError), match=None) as caught:
        wrong()
    assert word in str(caught.value)
