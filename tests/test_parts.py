"""The promises of `deepnb.parts` and `deepnb.spectrum` for drawn sizes: parts sum to the picture"""
import numpy as np
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deepnb.core import ChoiceError, DeepnbError, PictureError, data_path
from deepnb.parts import PartsError, bands, joint, regions, split, superpixels
from deepnb.spectrum import frequencies, log_spectrum, peaks, power, radial_profile, without_peaks
from deepnb.waves import WAYS, Blocks

sides = st.integers(32, 97)
seeds = st.integers(0, 2**16)
few = settings(max_examples=25, deadline=None)


def boxed(height, width):
    return regions(boxes=[(0, 0, width // 2, height // 3), (width // 4, height // 4, width - 2, height - 1)])


def lassoed(height, width):
    return regions(lasso={"a": [(1, 2), (width // 2, 3), (width // 3, height - 1)],
                          "b": [(width // 2, height // 2), (width, height // 2), (width - 1, height)]})


def masked(height, width):
    y, x = np.mgrid[:height, :width]
    return regions(mask=(y * 3 // height) * 2 + (x > y).astype(int) if height <= width else y < x + 5)


@st.composite
def plans(draw, height, width):
    where = draw(st.sampled_from([None, regions((draw(st.integers(1, 7)), draw(st.integers(1, 7)))),
                                  boxed(height, width), masked(height, width), lassoed(height, width)]))
    waves = draw(st.sampled_from([None, bands(draw(st.integers(1, 12))), bands(edges=(0.11, 0.3)), *map(bands, WAYS)]))
    if where and waves:
        return joint(where, waves)
    return where or waves or joint()


@few
@given(sides, sides, seeds, st.data())
def test_parts_sum_to_the_picture(height, width, seed, data):
    picture = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)
    plan = data.draw(plans(height, width))
    parts = plan.of(picture)
    assert len(plan) == len(set(plan.names))
    total = sum(parts.component(k) for k in range(len(plan)))
    assert np.abs(total - picture).max() < 1e-5
    assert np.abs(parts.mix(np.ones(len(plan))) - picture).max() < 1e-5
    for weights in () if isinstance(plan.bands, Blocks) else parts.weights().values():
        assert weights.min() >= 0 and np.abs(weights.sum(0) - 1).max() < 1e-6


@few
@given(sides, sides, seeds, st.data())
def test_only_and_without_are_the_picture(height, width, seed, data):
    picture = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)
    plan = data.draw(plans(height, width))
    chosen = data.draw(st.sets(st.integers(0, len(plan) - 1), max_size=9))
    parts = plan.of(picture)
    assert np.abs(parts.only(chosen) + parts.without(chosen) - picture).max() < 1e-6
    assert np.abs(parts.only(chosen) - sum(map(parts.component, chosen), 0 * picture)).max() < 1e-5


@few
@given(sides, sides, seeds, st.data())
def test_split_is_the_inner_products(height, width, seed, data):
    draw = np.random.default_rng(seed)
    slope, change = (draw.standard_normal((1, 3, height, width)).astype(np.float32) for _ in "ab")
    plan = data.draw(plans(height, width))
    parts = plan.of(np.moveaxis(change[0], 0, -1))
    values = split(slope, change, plan=plan)
    by_hand = [np.vdot(slope[0], np.moveaxis(parts.component(k), -1, 0)) for k in range(len(plan))]
    scale = np.linalg.norm(slope) * np.linalg.norm(change)
    assert np.abs(values - by_hand).max() < 1e-5 * scale
    assert abs(values.sum() - np.vdot(slope, change)) < 1e-5 * scale
    if plan.bands:  # Parseval, without the way back
        rings = bands(plan.bands)
        by_band = split(slope, change, plan=joint(regions((1, 1)), rings))
        assert np.abs(values.reshape(plan.shape).sum(0) - by_band).max() < 1e-5 * scale
        assert np.abs(split(slope, change, plan=rings) - by_band).max() < 1e-5 * scale


def test_split_over_crops_sums_over_the_ground_that_was_read():
    draw = np.random.default_rng(0)
    slope, change = (draw.standard_normal((2, 3, 48, 48)).astype(np.float32) for _ in "ab")
    boxes, plan = np.array([[0, 0, 48, 48], [100, 60, 148, 108]]), joint((5, 6), 3)
    values = split(slope, change, plan=plan, size=(130, 170), boxes=boxes)
    assert values.sum() == pytest.approx(np.vdot(slope, change), abs=0.05)
    covered = plan.covered((130, 170), boxes=boxes)
    assert np.abs(values[~covered]).max() == 0 and covered.any() and not covered.all()
    each = [split(slope[i : i + 1], change[i : i + 1], plan=plan, size=(130, 170), boxes=boxes[i : i + 1])
            for i in range(2)]
    assert values == pytest.approx(sum(each), abs=1e-3)


def test_a_torch_tensor_is_split_like_an_array():
    torch = pytest.importorskip("torch")
    slope, change = (np.random.default_rng(i).random((1, 3, 33, 40), dtype=np.float32) for i in range(2))
    as_torch = split(torch.from_numpy(slope).requires_grad_(), torch.from_numpy(change), plan=joint())
    assert as_torch == pytest.approx(split(slope, change, plan=joint()))


@pytest.mark.parametrize("name", sorted(p.name for p in data_path("data", "pictures").glob("*.*[gp]")
                                        if p.suffix in {".jpg", ".png", ".webp"}))
def test_real_pictures_are_the_sum_of_their_parts(name):
    from deepnb.picture import load

    picture = load(data_path("data", "pictures", name))
    parts = joint((4, 4), 6).of(picture)
    assert np.abs(parts.mix(np.ones(96)) - picture.pixels / np.float32(255)).max() < 1e-5


def test_a_planted_wave_lies_in_its_region_and_band():
    plan = joint((4, 4), 6)
    box = (128, 64, 192, 128)
    with_wave, plain = (toys.planted(256, 256, box=box, cycles=0.2, level=level) for level in (20, 0))
    difference = (with_wave.astype(np.float32) - plain) / 255
    energy = [(plan.of(difference).component(k) ** 2).sum() for k in range(96)]
    assert plan.names[int(np.argmax(energy))] == "row 2 column 3, 0.16-0.26 cycles/px"


@pytest.mark.parametrize(("make", "words"), [
    (lambda: regions((0, 3)), "at least one row"),
    (lambda: regions((90, 2)).of(np.zeros((64, 64, 3))), "Ask for fewer regions"),
    (lambda: regions(boxes=[]), "left < right"),
    (lambda: regions(boxes=[(5, 5, 5, 9)]), "left < right"),
    (lambda: regions(boxes=[(0, 0, 65, 9)]).of(np.zeros((64, 64))), "Draw it inside"),
    (lambda: regions(mask=np.zeros((64, 64), bool)), "Mark some"),
    (lambda: regions(mask=np.ones((64, 64))), "whole numbers"),
    (lambda: regions(mask=np.eye(40, dtype=bool)).of(np.zeros((64, 64))), "shape of its picture"),
    (lambda: bands(0), "from 1 to 24"),
    (lambda: bands(edges=(0.2, 0.2)), "rising edges"),
    (lambda: bands(edges=(0.2, 0.8)), "rising edges"),
    (lambda: joint().of(np.zeros((4, 40, 40, 3))), "shape"),
    (lambda: joint().of(np.zeros((40, 40))).component(96), "from 0 to 95"),
])
def test_what_does_not_fit_is_refused_in_words(make, words):
    with pytest.raises(PartsError, match=words):
        make()


def test_small_pictures_and_unknown_parts_are_named():
    with pytest.raises(PictureError, match="at least 32 px") as caught:
        joint().of(np.zeros((31, 64, 3)))
    assert caught.value.cause == "too_small"
    with pytest.raises(ChoiceError, match="Nearest: row 1 column 1"):
        regions().of(np.zeros((40, 40))).only(["row 1 colum 1"])
    assert issubclass(PartsError, DeepnbError)


@few
@given(sides, sides, seeds)
def test_power_keeps_the_energy(height, width, seed):
    pixels = np.random.default_rng(seed).random((height, width, 3))
    assert power(pixels).sum() == pytest.approx((pixels**2).sum((0, 1)).mean())
    cycles, profile = radial_profile(pixels)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * min(height, width)
    rings = np.bincount(np.rint(radius).astype(int).ravel())
    assert (profile[: len(rings)] * rings).sum() == pytest.approx(power(pixels).sum())
    assert frequencies(height, width).max() <= 0.5**0.5 and log_spectrum(pixels).shape == (height, width)


@few
@given(st.integers(64, 160), st.integers(64, 160), st.integers(0, 50))
def test_without_peaks_cuts_and_keeps(height, width, seed):
    pixels = toys.texture(height, width, seed=seed)
    kept = without_peaks(pixels)
    assert kept.shape == pixels.shape and 0 <= kept.min() and kept.max() <= 1
    before, after = (power(p - p.mean((0, 1))).sum() for p in (pixels / 255, kept))
    assert after < before
    assert np.abs(kept.mean((0, 1)) - pixels.mean((0, 1)) / 255).max() < 0.01


@pytest.mark.parametrize("period", [2, 4, 8])
def test_the_lattice_of_up_sampling_is_found_and_taken_away(period):
    pixels = toys.texture(192, 256, seed=3) / 255
    pixels[:, ::period] += 0.02 * period
    found = {(round(p.x, 3), abs(round(p.y, 3))) for p in peaks(pixels)}
    assert (1 / period, 0) in found and not peaks(without_peaks(pixels))


def test_superpixels_cover_a_photograph_and_need_a_sane_count():
    photo = np.asarray(Image.open(sorted(data_path("data", "pictures").glob("*.jpg"))[0]).convert("RGB"))[:120, :90]
    plan = superpixels(photo, 12)
    assert 6 <= len(plan) <= 24 and plan == superpixels(photo, 12)
    assert np.abs(sum(plan.of(photo).component(k) for k in range(len(plan))) - photo / 255).max() < 1e-5
    with pytest.raises(PartsError, match="count from 2"):
        superpixels(photo, 10**6)


def test_the_blocks_of_a_crop_are_those_of_its_picture():
    rng = np.random.default_rng(3)
    picture = rng.standard_normal((3, 96, 96), dtype=np.float32)
    way = Blocks()
    left, top = 11, 21
    crop = picture[:, top : top + 48, left : left + 40]
    whole = way.wave(way.transform(picture), 4, size=(96, 96))
    inner = way.wave(way.transform(crop, origin=(left, top)), 4, size=(48, 40))
    assert np.abs(inner[:, 3:43, 5:37] - whole[:, 24:64, 16:48]).max() < 1e-5  # blocks that lie in the crop whole
