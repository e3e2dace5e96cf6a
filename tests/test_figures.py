"Figures: any answer can be drawn, in both themes, with units, words and honest scales, outside pyplot"

import dataclasses
import io
import warnings

import numpy as np
import pytest
from PIL import Image
from samples import sample_explanation, sample_reading, sample_record, sample_refusal

from deepnb import figures, panels
from deepnb.core import ChoiceError
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
