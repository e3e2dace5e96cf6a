"""Profiles of many explanations, and the receipts that ship: means, intervals, sums and what is refused"""
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

from deepnb.core import DeepnbError, ProtocolError, data_path, seeded  # noqa: E402
from deepnb.explanation import explain  # noqa: E402
from deepnb.means import FEWEST, Contrast, Means, Profile, ProfileError  # noqa: E402
from deepnb.parts import bands, joint, regions  # noqa: E402
from deepnb.profiles import contrast, profile, read_profiles  # noqa: E402
from deepnb.reading import Explanation, Part, PictureRecord, ReaderRecord, Receipt  # noqa: E402
from deepnb.verdicts import (  # noqa: E402
    VERDICTS,
    WHOSE,
    area_gains,
    count_reasons,
    measure_telling,
    read_receipts,
    share_interval,
    verdict_table,
)

NAMES = joint(regions=(2, 2), bands=3).names
PARTS = tuple(Part(name, region=k // 3, band=k % 3, box=(0, 0, 9, 9), frequency=(0.1, 0.2)) for k, name in enumerate(NAMES))
few = settings(max_examples=25, deadline=None)


def explanation(values, **other):
    values = np.asarray(values, float)
    told = {
        "picture": PictureRecord("p.png", "0" * 64, 64, 64, "PNG"), "score_name": "generated", "score": values.sum(),
        "baseline_score": 0.0, "values": values, "parts": PARTS, "covered": np.ones(len(values), bool), "grid": (2, 2),
        "edges": (0.0, 0.1, 0.2, 0.8), "read_boxes": [[0, 0, 64, 64]], "convergence_delta": 0.0,
        "method": "integrated_gradients", "baselines": "near", "sentence": "",
        "reader": ReaderRecord("default", "1", "ab" * 32),
    }  # fmt: skip
    return Explanation(**{**told, **other})


def drawn(count, seed=0, shift=0.0):
    rng = seeded(seed, "drawn explanations")
    return [explanation(rng.normal(size=12) + shift) for _ in range(count)]


numbers = st.lists(st.floats(-100, 100), min_size=12, max_size=12)


@few
@given(numbers, st.integers(FEWEST, 9))
def test_the_mean_of_equal_explanations_is_itself_without_width(values, count):
    found = profile([explanation(values)] * count, draws=50)
    assert found.n == count
    for ends in (found.values, found.low, found.high):
        assert ends == pytest.approx(np.array(values), abs=1e-9)
    assert found.by_band().high == pytest.approx(found.by_band().low, abs=1e-9)


@few
@given(st.integers(FEWEST, 12), st.integers(0, 99))
def test_the_order_of_the_pictures_moves_nothing(count, seed):
    given_ = drawn(count, seed)
    turned = [given_[k] for k in seeded(seed, "turn").permutation(count)]
    a, b = profile(given_, draws=60), profile(turned, draws=60)
    for name in ("values", "low", "high", "table"):
        assert (getattr(a, name) == getattr(b, name)).all()
    assert (a.by_region().low == b.by_region().low).all()


@few
@given(st.integers(FEWEST, 12), st.integers(0, 99))
def test_sums_by_band_and_by_region_are_those_of_each_picture(count, seed):
    given_ = drawn(count, seed)
    found = profile(given_, draws=60)
    assert found.by_band().values == pytest.approx(np.mean([one.by_band() for one in given_], 0))
    assert found.by_region().values == pytest.approx(np.mean([one.by_region() for one in given_], 0))
    assert found.by_band().names == bands(3).names and found.by_region().names[3] == "row 2 column 2"
    for means in (found, found.by_band(), found.by_region()):
        assert (means.low <= means.values).all() and (means.values <= means.high).all()


def test_sums_are_made_inside_a_picture_before_the_bootstrap():
    "Two regions that cancel in each picture have a sum without width, though each of them is wide"
    pictures = []
    for size in (1, 2, 3, 4, 5, 6):
        values = np.zeros(12)
        values[0], values[3] = size, -size  # band 0 of regions 0 and 1
        pictures.append(explanation(values))
    found = profile(pictures)
    assert found.high[0] - found.low[0] > 1
    assert found.by_band().high[0] - found.by_band().low[0] < 1e-9


@few
@given(st.integers(0, 99))
def test_a_contrast_turns_its_sign_with_its_sides(seed):
    a, b = profile(drawn(6, seed), draws=60), profile(drawn(8, seed + 1, shift=0.5), draws=60)
    there, back = contrast(a, b), contrast(b, a)
    for one, other in ((there, back), (there.by_band(), back.by_band()), (there.by_region(), back.by_region())):
        assert (one.values == -other.values).all() and (one.low == -other.high).all() and (one.high == -other.low).all()
    none = contrast(a, a)
    assert not none.values.any() and (none.low <= 0).all() and (none.high >= 0).all()
    wider = np.maximum(a.high - a.low, b.high - b.low)
    assert (there.high - there.low >= wider - 1e-9).all()  # a difference is less sure than either side


def test_a_difference_that_is_there_is_found():
    apart = contrast(profile(drawn(30, 1, shift=2.0)), profile(drawn(30, 2)))
    assert (apart.low > 0).all() and abs(apart.values.mean() - 2) < 0.3
    assert "30 pictures less 30 pictures" in repr(apart)


def test_profiles_and_contrasts_survive_json_and_go_on_as_before():
    given_ = [replace(one, receipt=Receipt("explains")) for one in drawn(12)]
    a, b = profile(given_, groups=list("aabbccddeeff"), draws=60), profile(drawn(7, 3), draws=60)
    for kind, value in ((Profile, a), (Profile, b), (Contrast, contrast(a, b)), (Means, a.by_band())):
        again = kind.from_json(json.dumps(value.to_json(), allow_nan=False))
        assert again == value and repr(again) == repr(value)
    opened = Profile.from_json(a.to_json())
    assert contrast(opened, b) == contrast(a, b) and opened.by_region() == a.by_region()
    assert opened.held == 1 and opened.drawn == "12 pictures in 6 groups" and opened.grid == (2, 2)
    assert opened != replace(opened, held=0.5)


def test_more_pictures_make_a_narrower_interval():
    wide, narrow = (profile(drawn(count)) for count in (6, 96))
    assert (narrow.high - narrow.low).mean() < 0.5 * (wide.high - wide.low).mean()


def test_receipts_are_counted_and_unread_ground_is_told():
    receipts = [Receipt(verdict) for verdict in ("explains", "cannot tell", "explains", "does not explain")]
    given_ = [replace(one, receipt=receipt) for one, receipt in zip(drawn(6), [*receipts, None, None], strict=True)]
    unread = np.ones(12, bool)
    unread[:3] = False
    given_[0] = replace(given_[0], covered=unread)
    found = profile(given_)
    assert found.held == 0.5 and "50%" in repr(found)
    assert found.covered == pytest.approx([5 / 6] * 3 + [1] * 9)
    assert profile(drawn(5)).held is None and "no receipts" in repr(profile(drawn(5)))


def test_groups_are_drawn_whole():
    "Six pictures of each of five makers, alike within a maker: the interval is that of five pictures"
    five = drawn(5)
    found = profile([one for one in five for _ in range(6)], groups=[str(k) for k in range(5) for _ in range(6)])
    alone = profile(five)
    for name in ("values", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(alone, name))
    assert found.by_band().low == pytest.approx(alone.by_band().low) and "30 pictures in 5 groups" in repr(found)
    narrow = profile([one for one in five for _ in range(6)])
    assert (narrow.high - narrow.low).mean() < 0.5 * (found.high - found.low).mean()


@few
@given(st.integers(0, 99))
def test_groups_go_with_their_pictures_whatever_the_order(seed):
    given_, names, turn = drawn(12, seed), list("aabbbccddeef"), seeded(seed, "turn").permutation(12)
    a = profile(given_, groups=names, draws=60)
    b = profile([given_[k] for k in turn], groups=[names[k] for k in turn], draws=60)
    assert (a.low == b.low).all() and (a.high == b.high).all() and (a.table == b.table).all()
    assert a.values == pytest.approx(np.mean([one.values for one in given_], 0))


@pytest.mark.parametrize("groups", ["aabbccddeef", "aabbccddaabb"])
def test_groups_need_a_name_each_and_five_of_them(groups):
    with pytest.raises(ProfileError, match="groups needs a name for each of 12"):
        profile(drawn(12), groups=groups)


def test_the_seed_decides():
    given_ = drawn(9)
    assert (profile(given_, seed=1).low == profile(given_, seed=1).low).all()
    assert (profile(given_, seed=1).low != profile(given_, seed=2).low).any()


@pytest.mark.parametrize("change, word", [
    ({"score_name": "source"}, "score (generated and source)"),
    ({"method": "ablation"}, "method (integrated_gradients and ablation)"),
    ({"baselines": "gray"}, "baselines (near and gray)"),
    ({"reader": ReaderRecord("default", "2", "cd" * 32)}, "reader (default 1 (abababab) and default 2 (cdcdcdcd))"),
    ({"reader": None}, "reader"),
    ({"parts": tuple(replace(part, name=part.name.replace("row 1", "box 1")) for part in PARTS)}, "parts (row 1 column 1"),
    ({"grid": None, "parts": PARTS[:6] + PARTS[:6]}, "parts"),
])  # fmt: skip
def test_different_questions_have_no_mean(change, word):
    with pytest.raises(ProfileError) as raised:
        profile([*drawn(5), explanation(np.zeros(12), **change)])
    assert word in str(raised.value) and isinstance(raised.value, (DeepnbError, ValueError))
    with pytest.raises(ProfileError, match="These profiles differ"):
        contrast(profile(drawn(5)), profile([explanation(np.ones(12), **change)] * 5))


def test_boxes_of_one_name_in_different_places_are_different_parts():
    there, elsewhere = (tuple(replace(part, box=box) for part in PARTS) for box in ((0, 0, 9, 9), (20, 20, 29, 29)))
    grids = [explanation(np.ones(12), parts=parts) for parts in (there, elsewhere)]
    assert profile(grids * 3).n == 6  # a grid follows the size of its picture
    with pytest.raises(ProfileError, match="parts"):
        profile([replace(one, grid=None) for one in grids] * 3)


def shaped(plan, size=64, seed=0):
    "An explanation of a drawn picture by regions of a plan"
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype="uint8")
    return explain(pixels, score=lambda x: 9 * x.mean((1, 2, 3)), parts=plan, receipt=False)


def boxed_mask(hole):
    "A mask that reaches all four sides, with a hole or without"
    mask = np.zeros((64, 64), int)
    mask[8:56, 8:56] = 1
    mask[24:40, 24:40] = 0 if hole else 1
    return regions(mask=mask)


@pytest.mark.parametrize("one, other", [
    (regions(lasso=[(8, 8), (56, 8), (56, 56), (8, 56)]), regions(lasso=[(8, 8), (56, 8), (56, 56), (40, 20), (8, 56)])),
    (boxed_mask(False), boxed_mask(True)),
])  # fmt: skip
def test_regions_of_one_box_and_two_shapes_are_different_parts(one, other):
    a, b = ([shaped(plan, seed=seed) for seed in range(5)] for plan in (one, other))
    assert [part.box for part in a[0].parts] == [part.box for part in b[0].parts]
    assert [part.name for part in a[0].parts] == [part.name for part in b[0].parts]
    with pytest.raises(ProfileError, match="explanations differ in their parts .shapes"):
        profile([*a, b[0]])
    with pytest.raises(ProfileError, match="profiles differ in their parts .shapes"):
        contrast(profile(a), profile(b))
    assert profile([*a, shaped(one, seed=9)]).n == 6


def test_bands_whose_borders_differ_under_one_name_are_different_parts():
    one, other = ([shaped(bands(edges=edges), seed=seed) for seed in range(5)] for edges in ([0.2, 0.3001], [0.2, 0.3003]))
    assert [part.name for part in one[0].parts] == [part.name for part in other[0].parts]
    with pytest.raises(ProfileError, match="edges"):
        profile([*one, other[0]])


def test_bands_of_ones_own_are_those_of_the_profiles_that_ship():
    own = profile([shaped(bands(6), seed=seed) for seed in range(5)], draws=50)
    shipped = read_profiles(draws=10)["generated"]
    assert dict(own.asked)["parts"] == dict(shipped.asked)["parts"] and own.edges == shipped.edges


@pytest.mark.parametrize("given_, word", [
    ([], "got 0"), (drawn(4), "at least 5 explanations, got 4"), ([3] * 6, "got a int"), (["a.png"], "got a str"),
])  # fmt: skip
def test_too_few_and_no_explanations_are_refused(given_, word):
    with pytest.raises(ProfileError, match=word):
        profile(given_)


def test_four_groups_have_no_interval_and_eight_pictures_do_not_help():
    table = np.random.default_rng(0).normal(size=(8, 2))
    with pytest.raises(ProfileError, match="at least 5 pictures or groups of them, got 4"):
        Means.of(table, names=["a", "b"], group=[0, 0, 1, 1, 2, 2, 3, 3])
    assert Means.of(table, names=["a", "b"]).names == ("a", "b")


def test_an_interval_that_touches_zero_is_not_apart_from_it():
    means = Means(tuple("abcd"), [1, 1, -1, 0], [0.1, 0, -2, 0], [2, 2, -0.1, 0])
    assert means.apart.tolist() == [True, False, True, False]
    assert not (means - means).apart.any()


def test_means_of_different_parts_have_no_difference():
    zeros = np.zeros(2)
    with pytest.raises(ProfileError, match="b and c"):
        Means(("a", "b"), zeros, zeros, zeros) - Means(("a", "c"), zeros, zeros, zeros)


def test_a_profile_of_real_explanations_by_bands_alone():
    rng = np.random.default_rng(0)

    def fine_detail(x):
        return 100 * (x[..., 1:, 1:] - x[..., :-1, :-1]).abs().mean((1, 2, 3))

    pictures = [rng.integers(0, 256, (40 + k, 48, 3), dtype="uint8") for k in range(5)]
    found = profile([explain(p, score=fine_detail, parts=bands(4), receipt=False) for p in pictures], draws=100)
    assert found.by_band().values == pytest.approx(found.values) and found.by_region().names == ()
    assert int(found.values.argmax()) == 3 and "fine_detail" in repr(found)


# What ships -----------------------------------------------------------------------------------------


def test_the_profiles_that_ship_are_means_of_their_file():
    with data_path("data", "profiles_dev.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = read_profiles(draws=100)
    of = [row for row in rows if row["label"] == "1"]
    assert found["generated"].n == len(of) and found["photographs"].n == len(rows) - len(of)
    sums = np.mean([[float(row[f"band{k}"]) for k in range(1, 7)] for row in of], 0)
    assert found["generated"].by_band().values == pytest.approx(sums)
    assert all(one.n >= FEWEST for one in found.values())
    assert set(read_profiles(least=len(of), draws=10)) == {"generated", "photographs"}
    assert {name for name, one in found.items() if one.n < len(of)} == {row["group"] for row in of}


def test_the_values_that_ship_sum_to_the_change_of_score():
    with data_path("data", "profiles_dev.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    receipts = {row.sha256: row for row in read_receipts()}
    for row in rows:
        one = receipts[row["sha256"]]
        gap = sum(float(row[f"band{k}"]) for k in range(1, 7)) - (one.score - one.baseline_score)
        assert gap == pytest.approx(one.own.convergence_delta, abs=0.01)
        assert row["verdict"] == one.own.verdict  # by the rule that ships, in both


def test_shuffled_networks_are_refused_more_often_than_the_reader():
    rows = read_receipts()
    table = verdict_table(rows)
    own, shuffled, forgiven = (table.of(whose, "all", "explains") for whose in ("own", "shuffled", "forgiven"))
    assert shuffled.k <= forgiven.k and forgiven.high < own.low
    assert all(table.of(whose, "all", "explains").high < own.low for whose in WHOSE if whose != "own")
    for share in table.shares:
        assert 0 <= share.low <= share.k / share.n <= share.high <= 1
    assert sum(table.of("own", "photographs", verdict).k for verdict in VERDICTS) == sum(not row.label for row in rows)
    assert sum(count_reasons(rows).values()) == sum(len(row.own.reasons) for row in rows)


def test_a_measure_that_tells_nothing_has_an_auc_of_one_half():
    same = [replace(row, receipts={**row.receipts, "other": row.own}) for row in read_receipts()]
    found = {told.measure: told.auc for told in measure_telling(same, wrong="other", draws=50)}
    assert list(found.values()) == pytest.approx([0.5] * 6)


def test_gains_are_compared_with_the_default():
    rows = [replace(row, areas=row.areas and {**dict.fromkeys(row.areas, (0.5, 0.25)), "default": (0.75, 0.25)})
            for row in read_receipts()]  # fmt: skip
    gains = {gain.order: gain for gain in area_gains(rows, draws=50)}
    assert gains["near"].ratio == pytest.approx((2, 2, 2)) and gains["default"].median == 0.5
    with pytest.raises(ProtocolError, match="at least one picture"):
        area_gains([replace(row, areas={}) for row in rows])


@given(st.integers(1, 60), st.integers(0, 60))
def test_intervals_of_shares_hold_their_share_and_mirror(n, k):
    k = min(k, n)
    low, high = share_interval(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert share_interval(n - k, n) == pytest.approx((1 - high, 1 - low))
