"""Whatever the bytes, `load`, `condition` and `claims` answer or refuse in words, within seconds"""

import importlib.util
import random
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from deepnb.core import PICTURE_CAUSES, PictureError
from deepnb.picture import crops, load
from deepnb.provenance import claims, condition

SECONDS = 10  # for one file, on a busy machine; a sound decoder needs milliseconds


def noise(seed=0, size=(96, 72)):
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8))
    return rough.resize(size, Image.Resampling.BICUBIC)


def saved(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def valid_files():
    from PIL.PngImagePlugin import PngInfo

    rgb, exif, text = noise(), Image.Exif(), PngInfo()
    exif[271], exif[272], exif[274], exif[305] = "Maker", "Model", 6, "Program"
    text.add_text("parameters", "a cat\nSteps: 20", zip=True)
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    files = {
        "jpeg": saved(rgb, "JPEG", quality=85, exif=exif),
        "jpeg_progressive": saved(rgb, "JPEG", progressive=True, comment=b"words"),
        "jpeg_cmyk": saved(rgb.convert("CMYK"), "JPEG"),
        "mpo": saved(rgb, "MPO", save_all=True, append_images=[rgb]),
        "png": saved(rgb, "PNG", exif=exif, pnginfo=text),
        "png_16": saved(Image.new("I;16", (40, 30), 40000), "PNG"),
        "png_palette": saved(rgb.quantize(16), "PNG", transparency=3),
        "png_alpha": saved(rgb.convert("RGBA"), "PNG"),
        "webp": saved(rgb, "WEBP", exif=exif, xmp=b"<x:xmpmeta/>"),
        "webp_animated": saved(rgb, "WEBP", save_all=True, append_images=[noise(1)]),
        "tiff": saved(rgb, "TIFF"),
        "tiff_lzw": saved(rgb, "TIFF", compression="tiff_lzw"),
        "tiff_jpeg": saved(rgb, "TIFF", compression="jpeg"),
        "tiff_pages": saved(rgb, "TIFF", save_all=True, append_images=[rgb.convert("L")]),
        "bmp": saved(rgb, "BMP"),
        "gif": saved(rgb, "GIF", save_all=True, append_images=[noise(1)]),
    }
    if importlib.util.find_spec("PIL._avif"):
        files["avif"] = saved(rgb, "AVIF", exif=exif)
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        buffer = BytesIO()
        pillow_heif.from_pillow(rgb).save(buffer, quality=60)
        files["heif"] = buffer.getvalue()
    return files


FILES = valid_files()


def mutated(data, rng):
    "One way in which a file goes wrong between two computers, or is made to"
    data = bytearray(data)
    way = rng.choice(["flip", "flip", "header", "header", "cut", "insert", "double", "zero", "large"])
    if way == "flip":
        for _ in range(rng.choice([1, 3, 30])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == "header":
        for _ in range(rng.choice([1, 4])):
            data[rng.randrange(min(len(data), 400))] = rng.randrange(256)
    elif way == "cut":
        del data[rng.randrange(len(data)) :]
    elif way == "insert":
        at = rng.randrange(len(data))
        data[at:at] = rng.randbytes(rng.choice([1, 7, 300]))
    elif way == "double":
        start = rng.randrange(len(data))
        part = data[start : start + rng.randrange(1, 500)]
        data[start:start] = part * rng.choice([1, 5])
    elif way == "zero":
        start = rng.randrange(len(data))
        data[start : start + 64] = bytes(len(data[start : start + 64]))
    else:
        at = rng.randrange(min(len(data) - 4, 300))
        data[at : at + 4] = rng.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\xff\xff", b"\xff\xff\0\0"])
    return bytes(data)


def answer(data):
    "The picture, or the error, and nothing else; everything that a person would see next is made too"
    try:
        picture = load(data, name="mutation")
    except PictureError as error:
        assert error.cause in PICTURE_CAUSES
        assert str(error).startswith("mutation: ") and len(str(error)) < 400 and "\n" not in str(error)
        return error
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape == (*picture.size[::-1], 3)
    assert picture.display.shape == picture.pixels.shape and picture.thumbnail(64).ndim == 3
    assert all(isinstance(note, str) for note in picture.notes)
    condition(picture).to_json()
    for claim in claims(picture):
        assert len(claim.value) <= 500 and claim.value.isprintable()
    if min(picture.size) >= 32:
        crops(picture)
    return picture


@pytest.mark.parametrize("kind", FILES)
def test_the_valid_files_are_read(kind):
    assert not isinstance(answer(FILES[kind]), PictureError)


@pytest.mark.parametrize("part", range(20))
def test_mutations_are_answered_or_refused(part):
    rng = random.Random(part)
    for _ in range(12):
        kind = rng.choice(list(FILES))
        data = mutated(FILES[kind], rng)
        began = time.monotonic()
        answer(data)
        assert time.monotonic() - began < SECONDS, kind


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_are_no_picture(seed):
    data = random.Random(seed).randbytes(3000)
    with pytest.raises(PictureError):
        load(data)


def test_warnings_and_settings_of_pillow_stay_as_they_were(recwarn):
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, sorted(Image.OPEN)
    for data in FILES.values():
        load(data)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, sorted(Image.OPEN)) == before
    assert not recwarn.list
