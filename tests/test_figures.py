"Figures: any answer can be drawn, in both themes, with units, words and honest scales, outside pyplot"

import dataclasses
import io
import re
import warnings

import numpy as np
import pytest
from PIL import Image
from samples import sample_explanation, sample_profile, sample_reading, sample_record, sample_refusal

from deepnb import averages, figures, panels
from deepnb.core import ChoiceError
from deepnb.means import Contrast, Means, Profile
from deepnb.reading import Comparison, Stress, StressStep

SHAPES = {
    "landscape": (512, 384),
    "tall": (300, 1200),
    "ribbon": (3000, 40),
    "tower": (40, 3000),
    "tiny": (9, 8),
}


def only(explanation, kind):
    "The same explanation with parts that know only regions, or only bands"
    kept = [
        k for k, part in enumerate(explanation.parts) if (part.band if kind == "region" else part.region) == 0
    ]
    other = {"region": {"band": None, "frequency": None}, "band": {"region": None, "box": None}}[kind]
    return dataclasses.replace(
        explanation,
        parts=tuple(dataclasses.replace(explanation.parts[k], **other) for k in kept),
        values=explanation.values[kept],
        covered=np.ones(len(kept), bool),
        grid=explanation.grid if kind == "region" else None,
        edges=explanation.edges if kind == "band" else None,
    )


def luminance(color):
    "Relative luminance of a hex color (WCAG)"
    part = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("style", panels.THEMES)
def test_text_can_be_read_on_its_ground(style):
    theme = panels.theme_named(style)
    for ink in (theme.ink, theme.soft):
        light, dark = sorted((luminance(ink), luminance(theme.ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_of_picture_can_be_drawn(shape):
    width, height = SHAPES[shape]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in (
            figures.plot_reading(sample_reading(width=width, height=height)),
            figures.plot_explanation(
                sample_explanation(width=width, height=height, grid=(2, 2)), style="dark"
            ),
        ):
            with Image.open(io.BytesIO(figures.figure_png(figure, 40))) as image:
                assert image.size == tuple((figure.get_size_inches() * 40).astype(int))
                assert np.asarray(image.convert("L")).std() > 5


def test_figures_leave_no_trace_in_pyplot():
    import matplotlib
    from matplotlib import pyplot

    before, open_before = dict(matplotlib.rcParams), pyplot.get_fignums()
    figures.figure_png(figures.plot_reading(sample_reading()), 30)
    figures.figure_png(figures.plot_explanation(sample_explanation()), 30)
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == open_before


def test_a_panel_draws_on_the_axes_it_is_given():
    from matplotlib.figure import Figure

    reading, why = sample_reading(), sample_explanation()
    for draw, value in (
        (figures.plot_picture, reading.picture),
        (figures.plot_fingerprint, reading.fingerprint),
        (figures.plot_spectrum, reading.spectrum),
        (figures.plot_verdict, reading),
        (figures.plot_sources, reading),
        (figures.plot_regions, why),
        (figures.plot_bands, why),
        (figures.plot_matrix, why),
        (figures.plot_means, sample_profile().by_band()),
        (lambda regions, ax: averages.plot_grid(regions, (4, 4), ax=ax), sample_profile().by_region()),
    ):
        axes = Figure().add_subplot()
        assert draw(value, ax=axes) is axes
        assert axes.get_title(loc="left")


def test_frequencies_carry_their_unit_and_the_zero_is_in_the_middle():
    spectrum = np.zeros((64, 64))
    spectrum[32, 48] = 9  # a quarter of a cycle per pixel across
    axes = figures.plot_spectrum(spectrum)
    assert "cycles per pixel" in axes.get_xlabel() and "cycles per pixel" in axes.get_ylabel()
    left, right, bottom, top = axes.images[0].get_extent()
    assert left + (48 + 0.5) / 64 * (right - left) == pytest.approx(0.25)
    assert top + (32 + 0.5) / 64 * (bottom - top) == pytest.approx(0)
    assert "cycles per pixel" in figures.plot_bands(sample_explanation()).get_xlabel()


def test_signed_scales_are_symmetric_about_zero():
    mesh = figures.plot_matrix(sample_explanation()).collections[0]
    low, high = mesh.get_clim()
    assert low == -high
    color = panels.diverging_map("light")
    assert np.ptp(color(0.5)[:3]) < 0.05 and color(0.0)[2] > color(0.0)[0] and color(1.0)[0] > color(1.0)[2]


def test_the_eye_without_red_and_green_still_sees_the_sign():
    "Machado's deuteranopia: the ends of the scale stay far apart"
    change = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    for style in panels.THEMES:
        ends = [change @ np.array(panels.diverging_map(style)(v)[:3]) for v in (0.0, 1.0)]
        assert np.abs(ends[0] - ends[1]).max() > 0.3


def test_unread_ground_is_hatched_and_has_no_number():
    axes = figures.plot_regions(sample_explanation(uncovered=(5, 6)))
    assert any(patch.get_hatch() for patch in axes.patches)
    assert len(axes.texts) == 16 - 2
    read_whole = dataclasses.replace(sample_explanation(uncovered=()), read_boxes=[[0, 0, 512, 384]])
    axes = figures.plot_regions(read_whole)
    assert not any(patch.get_hatch() for patch in axes.patches) and len(axes.texts) == 16


def test_small_crops_of_a_large_picture_are_drawn_larger_and_it_is_said():
    assert (
        "larger than it is" in figures.plot_regions(sample_explanation(width=6000, height=4000)).get_xlabel()
    )
    assert "larger than it is" not in figures.plot_regions(sample_explanation()).get_xlabel()


def test_an_explanation_that_fails_its_receipt_loses_its_colors_and_says_so():
    figure = figures.plot_explanation(sample_explanation(trusted=False))
    with Image.open(io.BytesIO(figures.figure_png(figure, 50))) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=2).max() < 40, "a color is left"
    assert "do not rely on it" in figure._supxlabel.get_text().replace("\n", " ")
    good = figures.plot_explanation(sample_explanation())
    with Image.open(io.BytesIO(figures.figure_png(good, 50))) as image:
        assert np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=2).max() > 90
    unmade = dataclasses.replace(sample_explanation(), receipt=None)
    assert "no receipt yet" in figures.receipt_words(unmade)


@pytest.mark.parametrize("kind", ["region", "band"])
def test_parts_that_know_only_regions_or_only_bands_can_be_drawn(kind):
    why = only(sample_explanation(), kind)
    figure = figures.plot_explanation(why)
    assert len(figure.axes) == 1
    assert figures.alt_text(why)


def test_the_number_beside_the_verdict_comes_in_words():
    reading = sample_reading()
    assert figures.beside_verdict(reading).startswith("Of 111 camera devices, 2 were")
    assert "6 in 10" in figures.beside_verdict(dataclasses.replace(reading, verdict="no_trace"))
    unknown = dataclasses.replace(reading, verdict="no_trace", found_share=None)
    assert "not measured" in figures.beside_verdict(unknown)
    assert "128" in figures.beside_verdict(sample_refusal())


def test_alt_text_says_what_the_figure_shows():
    reading, why = sample_reading(), sample_explanation()
    assert "0.93" in figures.alt_text(reading) and "sd1 0.52" in figures.alt_text(reading)
    assert "cycles per pixel" in figures.alt_text(why) and "2 were not read" in figures.alt_text(why)
    pair = Comparison(
        reading.picture, why.picture, 0.5, 0.0, "cannot_say", "Too small to compare.", reading.reader
    )
    assert "Too small to compare" in figures.alt_text(pair)
    stress = Stress((StressStep("JPEG 75", 0.1, 0.6, "cannot_say"),), True, "It holds.")
    assert "JPEG 75: 0.60" in figures.alt_text(stress)
    assert "512 by 384" in figures.alt_text(sample_record())
    with pytest.raises(ChoiceError):
        figures.alt_text("a picture")


# Means of many --------------------------------------------------------------------------------------

NUMBERS = r"[+−]\d+\.\d{2,4} \([+−]\d+\.\d{2,4} to [+−]\d+\.\d{2,4}\)"


def parts_of(profile, kind):
    "The profile by regions alone, or by bands alone"
    key, other = ("region", {"band": None, "frequency": None}) if kind == "region" else ("band", {"region": None})
    numbers = np.array([getattr(part, key) for part in profile.parts])
    first = [int(np.flatnonzero(numbers == number)[0]) for number in np.unique(numbers)]
    return Profile.of(
        np.stack([profile.table[:, numbers == number].sum(1) for number in np.unique(numbers)], 1),
        parts=[dataclasses.replace(profile.parts[k], name=profile.parts[k].halves[kind == "band"], **other) for k in first],
        asked=dict(profile.asked),
        grid=profile.grid if kind == "region" else None,
        edges=profile.edges if kind == "band" else None,
    )


def is_filled(color, style="light"):
    from matplotlib.colors import to_rgb

    return np.abs(np.array(color[:3]) - to_rgb(panels.theme_named(style).ground)).max() > 0.1


def panel_named(figure, word):
    return next(axes for axes in figure.axes if word in axes.get_title(loc="left"))


@pytest.mark.parametrize("style", panels.THEMES)
def test_points_and_regions_whose_interval_holds_zero_are_hollow(style):
    profile = sample_profile(unread=())
    figure = figures.plot_profile(profile, style=style)
    points = panel_named(figure, "band").collections[-1]
    assert [is_filled(color, style) for color in points.get_facecolors()] == profile.by_band().apart.tolist()
    assert np.asarray(points.get_offsets())[:, 1] == pytest.approx(profile.by_band().values)
    mesh, *dots = panel_named(figure, "region").collections
    assert [is_filled(dot.get_facecolors()[0], style) for dot in dots] == profile.by_region().apart.tolist()
    assert 0 < sum(profile.by_region().apart) < 16 and 0 < sum(profile.by_band().apart) < 6
    places = np.concatenate([dot.get_offsets() for dot in dots])
    assert [tuple(place) for place in np.floor(places).astype(int)] == [(k % 4, k // 4) for k in range(16)]
    assert mesh.get_clim()[0] == -mesh.get_clim()[1]
    assert np.asarray(mesh.get_array()).ravel() == pytest.approx(profile.by_region().values)


def test_a_region_that_was_never_read_is_hatched_and_has_no_number():
    profile = sample_profile(unread=(5, 6))
    axes = panel_named(figures.plot_profile(profile), "region")
    assert sum(bool(patch.get_hatch()) for patch in axes.patches) == 2 and len(axes.texts) == 14
    assert "not read" in axes.get_xlabel() and "2 of the regions were never read" in figures.alt_text(profile)
    in_a_row = panel_named(figures.plot_profile(dataclasses.replace(profile, grid=None)), "region")
    assert sum(bool(patch.get_hatch()) for patch in in_a_row.patches) == 2
    assert len(in_a_row.collections[-1].get_offsets()) == 14
    whole = panel_named(figures.plot_profile(sample_profile(unread=())), "region")
    assert not any(patch.get_hatch() for patch in whole.patches) and "not read" not in whole.get_xlabel()
    one_sided = Contrast.of(sample_profile(unread=()), profile)
    assert sum(bool(p.get_hatch()) for p in panel_named(figures.plot_profile(one_sided), "region").patches) == 2


@pytest.mark.parametrize("kind", ["region", "band"])
def test_profiles_by_regions_alone_or_by_bands_alone_have_one_panel(kind):
    profile = parts_of(sample_profile(unread=()), kind)
    figure = figures.plot_profile(profile)
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")] == [
        "By region, logits" if kind == "region" else "By frequency band, logits"
    ]
    assert ("frequency bands" in figures.alt_text(profile)) == (kind == "band")


def test_rings_are_named_by_their_borders_and_other_bands_by_name():
    profile = parts_of(sample_profile(), "band")
    rings = figures.plot_profile(profile).axes[0]
    assert "cycles per pixel" in rings.get_xlabel()
    assert [label.get_text() for label in rings.get_xticklabels()] == panels.edge_words(profile.edges)
    others = figures.plot_profile(dataclasses.replace(profile, edges=None)).axes[0]
    assert [label.get_text() for label in others.get_xticklabels()] == [f"band {k}" for k in range(1, 7)]
    assert "0.12 to 0.25 cycles per pixel" in figures.alt_text(profile)
    assert "band 5" in figures.alt_text(dataclasses.replace(profile, edges=None))


def test_the_title_says_of_what_and_of_how_many_and_how_many_receipts_hold():
    title = figures.plot_profile(sample_profile())._suptitle.get_text()
    assert "“generated”" in title and "30 pictures in 10 groups, 70 % of receipts explain" in title
    assert "no receipts" in figures.plot_profile(sample_profile(held=None))._suptitle.get_text()
    pair = Contrast.of(sample_profile(), sample_profile(seed=1, held=0.5, count=45))
    title = figures.plot_profile(pair)._suptitle.get_text()
    assert "First: 30 pictures in 10 groups, 70 %" in title and "Minus second: 45 pictures in 15 groups, 50 %" in title


@pytest.mark.parametrize("held, gray", [(0.49, True), (0.5, False), (None, False)])
def test_colors_go_where_fewer_than_half_of_the_receipts_hold(held, gray):
    for value in (sample_profile(held=held), Contrast.of(sample_profile(), sample_profile(seed=1, held=held))):
        figure = figures.plot_profile(value)
        with Image.open(io.BytesIO(figures.figure_png(figure, 50))) as image:
            spread = np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=2).max()
        assert spread < 40 if gray else spread > 80
        said = figure._supxlabel.get_text().replace("\n", " ")
        assert ("do not rely on it" in said) == gray == ("do not rely on it" in figures.alt_text(value))
        assert ("Orange" in said) != gray and ("was not measured" in said) == (held is None)


def test_the_alt_text_of_a_profile_gives_the_numbers_of_what_differs_from_zero():
    profile = sample_profile(unread=())
    said, bands, regions = averages.profile_alt(profile, most=16), profile.by_band(), profile.by_region()
    count = sum(bands.apart) + sum(regions.apart)
    assert len(re.findall(NUMBERS, said)) == count + 1  # and the sum of all
    edges = panels.edge_words(profile.edges)
    for k in range(6):
        assert (f"{edges[k]} to {edges[k + 1]} cycles per pixel {panels.signed(bands.values[k])}" in said) == bands.apart[k]
    for name, value, apart in zip(regions.names, regions.values, regions.apart, strict=True):
        assert (f"{name} {panels.signed(value)}" in said) == apart
    few = averages.profile_alt(profile, most=2)
    assert "the 2 strongest" in few and len(re.findall(NUMBERS, few)) == 5
    none = figures.alt_text(Contrast.of(profile, profile))
    assert none.count("none differs from zero") == 2 and len(re.findall(NUMBERS, none)) == 1


def test_an_end_of_an_interval_that_leaves_zero_out_is_not_said_to_be_zero():
    tight = Means(("a",), [0.5], [0.0012], [1.0])
    assert tight.apart[0] and averages._interval(tight, 0) == "+0.500 (+0.001 to +1.000)"


def test_many_bands_and_long_words_stay_on_the_paper():
    profile = sample_profile(bands=20, grid=(12, 9), unread=())
    asked = {"score": "up-sampling by nearest neighbors against transposed convolutions", "parts": ""}
    long = Profile.of(profile.table, parts=profile.parts, asked=asked, edges=profile.edges, grid=profile.grid)
    for value in (long, parts_of(long, "band"), parts_of(long, "region")):
        figure = figures.plot_profile(value)
        figures.figure_png(figure, 40)
        box = figure.bbox
        for words in (figure._suptitle, figure._supxlabel, *(axes.xaxis.label for axes in figure.axes)):
            extent = words.get_window_extent()
            assert box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 and extent.y1 <= box.y1


def test_a_reading_of_nothing_can_be_drawn():
    "A flat fingerprint, no crops, no sources, no thumbnail"
    flat = sample_reading(
        fingerprint=np.zeros((8, 8, 3)),
        spectrum=np.zeros((8, 8)),
        crop_boxes=np.zeros((0, 4)),
        crop_scores=[],
        sources=(),
        source_set=(),
        unknown_source=1.0,
        picture=dataclasses.replace(sample_record(), thumbnail=np.zeros((0, 0, 3))),
    )
    assert figures.figure_png(figures.plot_reading(flat), 30)


def test_styles_are_known_by_name():
    with pytest.raises(ChoiceError, match="light"):
        figures.plot_reading(sample_reading(), style="sepia")
