"Answers made by hand from a drawn picture, for tests of what shows them: seeded, quick, no network"

import dataclasses
from functools import cache

import numpy as np

from deepnb.means import Profile
from deepnb.reading import (
    Estimate,
    Explanation,
    FalseAlarm,
    Part,
    PictureRecord,
    ReaderRecord,
    Reading,
    Receipt,
    ScopeNote,
    Source,
)

READER = ReaderRecord("default", "0.1.0", "5f" * 32)
SENTENCE = "The picture carries traces that this reader finds in generated pictures."
BANDS = 6


@cache
def drawn_landscape(width: int = 512, height: int = 384, *, seed: int = 0) -> np.ndarray:
    "Hills under a low sun, (height, width, 3) uint8, with a faint grid of period 4 as a generator leaves it"
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    sky = np.stack([0.95 - 0.5 * y, 0.72 - 0.25 * y, 0.55 + 0.3 * y], -1)
    picture = sky + 0.6 * np.exp(-(((x - 0.68) ** 2 + (y - 0.25) ** 2) / 0.004))[..., None] * np.array(
        [1, 0.9, 0.6]
    )
    for level, color in ((0.42, (0.35, 0.38, 0.5)), (0.5, (0.22, 0.32, 0.33)), (0.6, (0.1, 0.2, 0.16))):
        bumps = sum(
            rng.normal() * np.sin(2 * np.pi * k * x[0] + rng.uniform(0, 6)) / k for k in (1, 2, 3, 5, 8, 13)
        )
        hill = y > (level * height / max(height, width) * 1.3 + 0.03 * bumps)[None]
        picture[hill] = np.array(color) + rng.normal(0, 0.02, (hill.sum(), 1))
    rows, columns = np.mgrid[0:height, 0:width]
    grid = 0.015 * np.cos(np.pi * rows / 2) * np.cos(np.pi * columns / 2)
    return ((picture + grid[..., None] + rng.normal(0, 0.01, picture.shape)).clip(0, 1) * 255).astype(
        np.uint8
    )


@cache
def sample_record(*, name: str = "hills.png", width: int = 512, height: int = 384) -> PictureRecord:
    "The record of the drawn landscape; its small copy is drawn at the size it would have"
    scale = min(1, 512 / max(width, height))
    shown = drawn_landscape(max(1, round(width * scale)), max(1, round(height * scale)))
    return PictureRecord(
        name, "3c" * 32, width, height, "PNG", ("alpha composited on white for display",), shown
    )


@cache
def sample_fingerprint(side: int = 128, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    "A fingerprint with a grid of period 4, (side, side, 3), and its log power, zero frequency in the middle"
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    grid = np.cos(np.pi * y / 2) * np.cos(np.pi * x / 2) + 0.5 * np.cos(np.pi * (x + y))
    fingerprint = 0.004 * grid[..., None] + rng.normal(0, 0.006, (side, side, 3))
    transform = np.fft.fftshift(np.fft.fft2(fingerprint.mean(2), norm="ortho"))
    return fingerprint, np.log(np.abs(transform) ** 2 + 1e-9)


HYPERPARAMETERS = (
    Estimate(
        "family",
        "latent_diffusion",
        0.71,
        ("latent_diffusion", "rectified_flow"),
        None,
        True,
        "latent_diffusion",
    ),
    Estimate("up_sampling", "nearest", 0.86, ("nearest",), None, True, "nearest"),
    Estimate("normalization", "group", 0.55, ("group", "none", "batch"), None, False, "group"),
    Estimate("skip_connections", True, 0.6, (True, False), None, False, True),
)


def sample_reading(
    *, side: int = 64, name: str = "hills.png", width: int = 512, height: int = 384, **changes
) -> Reading:
    "A reading that found traces; `changes` replaces fields"
    fingerprint, spectrum = sample_fingerprint(side)
    crop = min(128, width, height)
    boxes = [
        (left, top, left + crop, top + crop)
        for top in np.linspace(0, height - crop, 2, dtype=int)
        for left in np.linspace(0, width - crop, 3, dtype=int)
    ]
    reading = Reading(
        picture=sample_record(name=name, width=width, height=height),
        verdict="generated",
        score=2.31,
        probability=0.93,
        false_alarm=FalseAlarm(2, 111, 0.056),
        found_share=0.58,
        sources=(Source("sd1", 0.52), Source("sdxl", 0.22), Source("flux1", 0.08), Source("stylegan2", 0.02)),
        source_set=("sd1", "sdxl"),
        unknown_source=0.16,
        hyperparameters=HYPERPARAMETERS,
        processed=0.08,
        fingerprint=fingerprint,
        spectrum=spectrum,
        embedding=np.random.default_rng(1).normal(size=16),
        crop_boxes=boxes,
        crop_scores=np.linspace(3.2, 1.4, len(boxes)),
        scope=(),
        condition={"sentence": "A PNG; no sign of JPEG."},
        sentence=SENTENCE,
        reader=READER,
        seconds=0.8,
    )
    return dataclasses.replace(reading, **changes)


def sample_refusal(**changes) -> Reading:
    "A reading that cannot say: the picture is too small"
    note = ScopeNote(
        "small",
        "The short side has 96 pixels; a verdict needs 128.",
        "a larger copy, best the file as it was first saved",
    )
    return sample_reading(
        width=140,
        height=96,
        side=32,
        verdict="cannot_say",
        score=0.4,
        probability=0.55,
        scope=(note,),
        sources=(),
        source_set=(),
        unknown_source=1.0,
        sentence="This reader cannot say whether the picture was generated.",
        **changes,
    )


def sample_explanation(
    *,
    grid: tuple[int, int] = (4, 4),
    bands: int = BANDS,
    width: int = 512,
    height: int = 384,
    trusted: bool = True,
    name: str = "hills.png",
    uncovered: tuple[int, ...] = (5, 6),
) -> Explanation:
    "An explanation over regions and bands that adds up; regions in `uncovered` were not read"
    rng = np.random.default_rng(2)
    rows, columns = grid
    edges = (0.0, *(0.5 * 2.0 ** -np.arange(bands - 1, 0, -1)), 0.5)
    parts, values, covered = [], [], []
    for region in range(rows * columns):
        row, column = divmod(region, columns)
        box = (
            column * width / columns,
            row * height / rows,
            (column + 1) * width / columns,
            (row + 1) * height / rows,
        )
        for band in range(bands):
            read = region not in uncovered
            parts.append(
                Part(
                    f"row {row + 1}, column {column + 1}, band {band + 1}",
                    region,
                    band,
                    box,
                    edges[band : band + 2],
                )
            )
            values.append((rng.normal(0.03, 0.05) + 0.06 * (band >= bands - 2) * (row >= rows // 2)) * read)
            covered.append(read)
    receipt = Receipt(
        "explains" if trusted else "does not explain",
        convergence_delta=0.01,
        deletion_auc=0.21 if trusted else 0.5,
        insertion_auc=0.83 if trusted else 0.5,
        random_auc=0.5,
        energy_auc=0.42,
        radius_auc=0.47,
        band_agreement=0.91 if trusted else 0.1,
        region_agreement=0.95 if trusted else 0.2,
        randomized=0.05,
        jpeg90=0.8 if trusted else 0.2,
        reasons=()
        if trusted
        else ("taking parts away in its order changes the score no more than in a random order",),
    )
    crop = min(128, width, height)
    boxes = [
        (0, 0, crop, crop),
        (width - crop, 0, width, crop),
        (0, height - crop, crop, height),
        (width - crop, height - crop, width, height),
    ]
    total = float(np.sum(values))
    return Explanation(
        sample_record(name=name, width=width, height=height),
        "generated",
        0.2 + total,
        0.2,
        values,
        parts,
        covered,
        grid,
        edges,
        boxes,
        0.01,
        "default",
        "near",
        "Most of the score comes from the lower half of the picture, "
        "from frequencies above 0.12 cycles per pixel.",
        receipt,
        READER,
        seconds=2.1,
    )


def sample_profile(
    *,
    grid: tuple[int, int] = (4, 4),
    bands: int = BANDS,
    count: int = 30,
    held: float | None = 0.7,
    seed: int = 0,
    unread: tuple[int, ...] = (5,),
) -> Profile:
    "The mean of drawn values: the two finest bands add in the lower half, the third takes away; `unread` regions add nothing"
    why = sample_explanation(grid=grid, bands=bands, uncovered=unread)
    rng = np.random.default_rng([7, seed])
    below = np.repeat(np.arange(grid[0]) >= grid[0] // 2, grid[1])
    true = 0.12 * below[:, None] * (np.arange(bands) >= bands - 2) - 0.05 * (np.arange(bands) == 2)
    table = (true + rng.normal(0, 0.12, (count, *true.shape))).reshape(count, -1) * why.covered
    return Profile.of(
        table,
        parts=why.parts,
        asked={"score": why.score_name, "parts": "; ".join(part.name for part in why.parts)},
        groups=[str(k // 3) for k in range(count)],
        draws=200,
        held=held,
        covered=why.covered.astype(float),
        grid=why.grid,
        edges=why.edges,
    )
