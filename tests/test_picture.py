"""`load` and `crops`: the same pixels from every door, stored values only, refusals in words"""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from deepnb.container import kind_of, lean
from deepnb.core import PictureError
from deepnb.decoding import turned
from deepnb.picture import Picture, crops, load
from deepnb.provenance import claims, condition


def saved(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height=48, width=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def refused(source, cause, *words):
    with pytest.raises(PictureError) as caught:
        load(source)
    assert caught.value.cause == cause, str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    return caught.value


# every kind ---------------------------------------------------------------------------------------

LOSSLESS = {"PNG": {}, "TIFF": {}, "BMP": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_give_their_pixels_back(kind):
    picture = load(saved(Image.fromarray(noise()), kind, **LOSSLESS[kind]))
    assert np.array_equal(picture.pixels, noise())
    assert (picture.format, picture.size, picture.bit_depth, picture.notes) == (kind, (64, 48), 8, ())


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("big", [False, True])
def test_every_compression_of_tiff(compression, big):
    data = saved(Image.fromarray(noise()), "TIFF", compression=compression, big_tiff=big)
    assert np.array_equal(load(data).pixels, noise())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"quality": 100}])
def test_jpeg_is_decoded_as_pillow_decodes_it(options):
    data = saved(Image.fromarray(noise()), "JPEG", comment=b"words", **options)
    assert np.array_equal(load(data).pixels, np.asarray(Image.open(BytesIO(data))))


def test_avif_and_heic():
    smooth = np.asarray(Image.fromarray(noise(6, 8)).resize((64, 48), Image.Resampling.BICUBIC))
    data = saved(Image.fromarray(smooth), "AVIF", quality=95)
    assert np.abs(load(data).pixels.astype(int) - smooth).mean() < 10
    heif = pytest.importorskip("pillow_heif", reason='HEIC needs: pip install "deepnb[formats]"')
    buffer = BytesIO()
    heif.from_pillow(Image.fromarray(smooth)).save(buffer, quality=95)
    picture = load(buffer.getvalue())
    assert picture.format == "HEIF" and np.abs(picture.pixels.astype(int) - smooth).mean() < 10


def test_heic_without_the_extra_says_what_to_install(monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    buffer = BytesIO()
    heif.from_pillow(Image.fromarray(noise())).save(buffer)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    refused(buffer.getvalue(), "unsupported", "deepnb[formats]")


def test_grey_sixteen_bits_palette_inks_and_numbers_are_noted():
    ramp = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    second = {"save_all": True, "append_images": [Image.fromarray(noise(seed=1))]}
    cases = {
        "grey": (saved(Image.fromarray(noise()).convert("L"), "PNG"), 8),
        "upper 8": (saved(Image.fromarray(ramp), "PNG"), 16),
        "palette": (saved(Image.fromarray(noise()).quantize(200), "PNG"), 8),
        "inks": (saved(Image.fromarray(noise()).convert("CMYK"), "TIFF"), 8),
        "Numbers from 0 to 1": (saved(Image.fromarray(ramp.astype(np.float32) / 65535), "TIFF"), 32),
        "LAB": (saved(Image.new("LAB", (32, 32), (128, 128, 128)), "TIFF"), 8),
        "only the first": (saved(Image.fromarray(noise()), "TIFF", **second), 8),
        "animation": (saved(Image.fromarray(noise()), "GIF", **second), 8),
        "main one": (saved(Image.fromarray(noise()), "MPO", **second), 8),
    }
    for word, (data, bits) in cases.items():
        picture = load(data)
        assert any(word in note for note in picture.notes), (word, picture.notes)
        assert picture.bit_depth == bits, word
    assert np.array_equal(load(cases["upper 8"][0]).pixels[..., 0], (ramp >> 8).astype(np.uint8))


def test_transparency_is_kept_out_of_the_pixels():
    glass = np.dstack([noise(), np.zeros((48, 64), np.uint8)])
    picture = load(saved(Image.fromarray(glass), "PNG"))
    assert np.array_equal(picture.pixels, noise())
    assert (picture.display == 255).all() and "laid on white" in picture.notes[-1]


def test_a_profile_changes_the_view_and_not_the_pixels():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wide = bytearray(swapped)  # the same profile with red and blue exchanged: a wide change, easy to see
    red, blue = wide.find(b"rXYZ"), wide.find(b"bXYZ")
    wide[red : red + 4], wide[blue : blue + 4] = b"bXYZ", b"rXYZ"
    wide = (
        bytes(wide).replace("sRGB".encode("utf-16-be"), "SWAP".encode("utf-16-be")).replace(b"sRGB", b"SWAP")
    )
    picture = load(saved(Image.fromarray(noise()), "PNG", icc_profile=wide))
    assert np.array_equal(picture.pixels, noise())
    assert np.abs(picture.display.astype(int) - picture.pixels).mean() > 10
    assert "applied for people" in picture.notes[0]
    plain = load(saved(Image.fromarray(noise()), "JPEG", icc_profile=swapped))
    assert plain.display is plain.pixels and plain.notes == ()
    for broken in (b"", b"x" * 5, b"\0" * 300, wide[:200]):
        broken = load(saved(Image.fromarray(noise()), "PNG", icc_profile=broken or None))
        assert np.array_equal(broken.display, noise())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_orientation_gives_the_upright_pixels(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    options = (
        {"lossless": True} if kind == "WEBP" else {"tiffinfo": {274: orientation}} if kind == "TIFF" else {}
    )
    aslant = Image.fromarray(np.ascontiguousarray(turned(noise(), orientation, back=True)))
    plain = load(saved(aslant, kind, **({} if kind == "TIFF" else options)))
    picture = load(
        saved(aslant, kind, **options) if kind == "TIFF" else saved(aslant, kind, exif=exif, **options)
    )
    assert picture.size == (64, 48) and picture.orientation == orientation
    assert np.array_equal(picture.pixels, turned(plain.pixels, orientation))
    assert len(picture.notes) == (orientation > 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_pillow(orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    data = saved(Image.fromarray(noise()), "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    assert np.array_equal(load(data).pixels, np.asarray(upright))
    assert np.array_equal(load(Image.open(BytesIO(data))).pixels, np.asarray(upright))


# every door ---------------------------------------------------------------------------------------


def test_every_door_gives_the_same_picture(tmp_path):
    data = saved(Image.fromarray(noise()), "PNG")
    path = tmp_path / "naïve name.png"
    path.write_bytes(data)
    upload = {"name": "up.png", "type": "image/png", "size": len(data), "content": memoryview(data)}
    doors = [
        path,
        str(path),
        str(path).encode(),
        data,
        bytearray(data),
        memoryview(data),
        BytesIO(data),
        upload,
        (upload,),
    ]
    with path.open("rb") as file:
        doors[2] = file
        for source in doors:
            picture = load(source)
            assert np.array_equal(picture.pixels, noise()) and picture.original == data
            assert picture == load(data) and hash(picture) == hash(load(data))
    assert load(path).name == "naïve name.png" and load(upload).name == "up.png"
    assert load(data, name="case 7").name == "case 7" and load(load(data), name="b").name == "b"
    assert load(Image.fromarray(noise())) == load(noise())


@given(st.integers(8, 40), st.integers(8, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_png_round_trip(height, width, seed):
    pixels = noise(height, width, seed)
    picture = load(saved(Image.fromarray(pixels), "PNG"))
    assert np.array_equal(picture.pixels, pixels)
    assert not picture.pixels.flags.writeable


def test_arrays_of_every_sort():
    grey = noise()[..., 0]
    assert np.array_equal(load(grey).pixels[..., 2], grey)
    assert np.array_equal(load(grey[..., None]).pixels, load(grey).pixels)
    assert np.array_equal(load(noise() / 255).pixels, noise())
    assert np.array_equal(load(noise().astype(np.uint16) * 257).pixels, noise())
    assert load(grey > 100).pixels.max() == 255
    mutable = noise()
    picture = load(mutable)
    mutable[:] = 0
    assert picture.pixels.max() > 0, "a picture does not change with the array it came from"
    for bad in (noise().astype(int), noise().astype(np.float32), np.full((9, 9), np.nan)):
        refused(bad, "unsupported", "uint8")
    for bad in (np.zeros(9), np.zeros((3, 64, 64), np.uint8), np.zeros((2, 9, 9, 3), np.uint8)):
        refused(bad, "not_a_picture", "Channels come last")


# refusals -----------------------------------------------------------------------------------------


def test_each_cause_in_words(tmp_path):
    png = saved(Image.fromarray(noise()), "PNG")
    refused(tmp_path / "missing.jpg", "not_found", "missing.jpg: There is no file")
    refused("https://example.invalid/a.jpg", "not_found", "does not fetch")
    refused(tmp_path, "not_a_picture", "folder")
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(PictureError):
            load(path)
    refused(b"", "not_a_picture", "empty")
    refused(b"Dear editor, see the picture below.", "not_a_picture", "text")
    refused(b"<!DOCTYPE html><title>photo.jpg</title>", "not_a_picture", "web page")
    refused(b"version https://git-lfs.github.com/spec/v1\n", "not_a_picture", "git lfs pull")
    refused(bytes(range(256)), "not_a_picture")
    refused(saved(Image.fromarray(noise()), "ICO"), "unsupported", "ICO")
    refused(saved(Image.fromarray(noise()), "PDF"), "unsupported", "PDF")
    refused(saved(Image.fromarray(noise()), "PPM"), "unsupported", "PNM")
    refused(png[:3000], "truncated")
    refused(png[:100] + bytes(2000) + png[2100:], "unreadable")
    refused(saved(Image.new("RGB", (1, 1)), "PNG"), "too_small", "1 x 1")
    refused(saved(Image.new("RGB", (20000, 3)), "PNG"), "too_small", "20000 x 3")
    refused(bytes(2**26 + 1), "too_large", "MB")
    refused(3.5, "not_a_picture", "float")
    refused(None, "not_a_picture")
    refused([png, png], "not_a_picture")
    text = tmp_path / "open.png"
    text.write_text("words")
    with text.open() as file:
        refused(file, "not_a_picture", '"rb"')


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_an_endless_device_is_not_read():
    refused("/dev/zero", "not_a_picture", "device")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_a_file_that_stops_early_is_refused(kind):
    data = saved(Image.fromarray(noise()), kind)
    for share in (0.5, 0.9):
        with pytest.raises(PictureError) as caught:
            load(data[: int(len(data) * share)])
        assert caught.value.cause in ("truncated", "unreadable")


def test_names_are_shown_as_one_plain_line():
    picture = load(noise(), name="a\nb\u202e<b>" + "x" * 500)
    assert picture.name.isprintable() and len(picture.name) <= 200
    assert str(refused(BytesIO(b"no"), "not_a_picture")).isprintable()


def test_a_picture_shows_itself():
    picture = load(noise(400, 600))
    shown = picture._repr_mimebundle_()
    assert Image.open(BytesIO(shown["image/png"])).size == (320, 213)
    assert "600 x 400 px" in shown["text/plain"]
    assert isinstance(picture, Picture)


# hostile files, each within 1.5 GB and some seconds -----------------------------------------------

READ = """
import sys, time
from deepnb.core import PictureError
from deepnb.picture import crops, load
from deepnb.provenance import claims, condition
began = time.monotonic()
try:
    picture = load(sys.argv[1])
    crops(picture), condition(picture), claims(picture)
    answer = f"read {picture.size}"
except PictureError as error:
    answer = f"{error.cause} {error.what_to_do}"
with open("/proc/self/status") as file:  # its own peak; ru_maxrss begins at what the parent has
    peak = int(file.read().partition("VmHWM:")[2].split()[0])
print(peak / 1e6, round(time.monotonic() - began, 1), answer)
"""
CASES = {  # what the answer begins with
    **dict.fromkeys(("png_100mp", "png_100mp_turned", "jpeg_progressive", "jpeg_inks", "tiff_float"), "read"),
    **dict.fromkeys(("webp", "avif", "gif", "png_words", "jpeg_exif"), "read"),
    **dict.fromkeys(("png_blocks", "tiff_tags", "jpeg_segments", "jpeg_scans", "tiff_tiles"), "unreadable"),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells a peak on Linux only")
@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_stays_within_memory_and_time(case, tmp_path):
    path = tmp_path / "file"
    subprocess.run([sys.executable, str(Path(__file__).with_name("hostile.py")), case, str(path)], check=True)
    run = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, timeout=90
    )
    gigabytes, seconds, answer = run.stdout.split(maxsplit=2)
    assert answer.startswith(CASES[case]), answer
    assert float(gigabytes) < 1.5 and float(seconds) < 45, run.stdout
    print(case, run.stdout)


# crops --------------------------------------------------------------------------------------------


@given(
    st.integers(32, 300),
    st.integers(32, 300),
    st.sampled_from([32, 64, 100, 128]),
    st.integers(1, 12),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_crops_lie_inside_and_are_repeated(height, width, size, most, seed):
    pixels = noise(height, width)
    found = crops(pixels, size, most=most, seed=seed)
    side = found.pixels.shape[1]
    assert found.pixels.shape == (len(found.boxes), side, side, 3) and 1 <= len(found.boxes) <= most
    assert side == (size if min(height, width) >= size else min(height, width) // 8 * 8)
    assert (
        (found.boxes[:, :2] >= 0).all()
        and (found.boxes[:, 2] <= width).all()
        and (found.boxes[:, 3] <= height).all()
    )
    assert len(np.unique(found.boxes, axis=0)) == len(found.boxes)
    for (left, top, right, bottom), pixel in zip(found.boxes, found.pixels, strict=True):
        assert np.array_equal(pixels[top:bottom, left:right], pixel)
    again = crops(pixels, size, most=most + 3, seed=seed)
    assert np.array_equal(again.boxes[: len(found.boxes)], found.boxes)


def test_crops_are_spread_and_leave_flat_and_clipped_ground():
    pixels = np.full((1000, 1600, 3), 128, np.uint8)
    pixels[:, 800:] = noise(1000, 800)
    pixels[:500, 800:1200] = 255
    boxes = crops(pixels, 128, most=6).boxes
    assert (boxes[:, 0] >= 700).all() and not ((boxes[:, 2] <= 1200) & (boxes[:, 3] <= 500)).any()
    wide = crops(noise(1200, 1600), 128, most=8).boxes
    assert np.ptp(wide[:, 0]) > 1000 and np.ptp(wide[:, 1]) > 700
    assert len(crops(np.zeros((600, 600, 3), np.uint8), 128).boxes) == 8, (
        "flat ground is read when there is no other"
    )
    assert not np.array_equal(crops(noise(1200, 1600), seed=1).boxes, wide)


def test_small_pictures_have_no_crops():
    for height, width in ((31, 100), (100, 31), (8, 8)):
        with pytest.raises(PictureError, match="at least 32"):
            crops(noise(height, width), 128)


@pytest.mark.parametrize("asked", [{"size": 16}, {"most": 0}])
def test_crops_that_cannot_be_asked_for(asked):
    with pytest.raises(ValueError, match="at least"):
        crops(noise(100, 100), **asked)


def test_crops_as_a_tensor():
    torch = pytest.importorskip("torch")
    found = crops(noise(256, 256), 128, most=2)
    tensor = found.to_tensor()
    assert tensor.dtype == torch.float32 and tensor.shape == (2, 3, 128, 128)
    assert np.array_equal((tensor * 255).round().numpy().astype(np.uint8).transpose(0, 2, 3, 1), found.pixels)


# condition and claims -----------------------------------------------------------------------------


@pytest.mark.parametrize("made", [5, 50, 77, 95])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_quality_and_sampling_are_read_off_the_file(made, sampling):
    found = condition(saved(Image.fromarray(noise(96, 96)), "JPEG", quality=made, subsampling=sampling))
    assert found.jpeg_quality == (made, "measured") and found.subsampling == (sampling, "measured")
    assert f"quality {made}" in found.sentence and set(found.to_json()["jpeg_quality"]) == {"value", "sure"}


def test_condition_is_the_same_for_a_turned_picture():
    smooth = Image.fromarray(noise(40, 50)).resize((396, 300), Image.Resampling.BICUBIC)
    twice = saved(Image.open(BytesIO(saved(smooth, "JPEG", quality=50))), "JPEG", quality=92)
    exif = Image.Exif()
    exif[274] = 6
    turned_twice = saved(
        Image.open(BytesIO(saved(smooth, "JPEG", quality=50))), "JPEG", quality=92, exif=exif
    )
    assert condition(twice).saved_twice == condition(turned_twice).saved_twice == (True, "likely")


def test_hostile_words_are_plain_text():
    from PIL.PngImagePlugin import PngInfo

    words, exif = PngInfo(), Image.Exif()
    words.add_text("prompt", "<script>alert(1)</script>\n" + "x" * 5000, zip=True)
    words.add_itxt("Comment", "\u202egnp\x07")
    exif[305] = "Stable Diffusion web UI"
    exif[37510] = b"UNICODE\0" + "Steps: 20, Sampler: Euler".encode("utf-16-be")
    found = claims(saved(Image.fromarray(noise()), "PNG", pnginfo=words, exif=exif))
    assert {claim.field for claim in found} >= {"generator parameters", "generator", "text"}
    assert all(len(claim.value) <= 500 and claim.value.isprintable() for claim in found)


def test_content_credentials_are_seen_and_not_believed():
    whole = saved(Image.fromarray(noise()), "JPEG")
    box = b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71"
    signed = whole[:2] + b"\xff\xeb" + (len(box) + 2).to_bytes(2, "big") + box + whole[2:]
    (claim,) = claims(signed)
    assert claim.field == "Content Credentials" and "not verified" in claim.value
    assert np.array_equal(load(signed).pixels, load(whole).pixels)


def test_the_decoder_sees_no_words():
    data = saved(Image.fromarray(noise()), "PNG", icc_profile=b"profile")
    assert b"iCCP" in data and b"iCCP" not in lean(data)[0] and kind_of(data) == "PNG"
