"""Files that ask too much of a decoder, each under 50 MB: `python hostile.py CASE PATH` writes one"""

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image


def saved(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def make(case):
    small = Image.effect_noise((64, 64), 50).convert("RGB")
    if case == "png_100mp":
        return saved(Image.new("RGB", (10000, 10000), "red"), "PNG")
    if case == "png_100mp_turned":
        exif = Image.Exif()
        exif[274] = 6
        return saved(Image.new("RGBA", (10000, 9990), (9, 9, 9, 9)), "PNG", exif=exif)
    if case == "jpeg_progressive":
        return saved(Image.new("RGB", (10000, 9900)), "JPEG", progressive=True)
    if case == "jpeg_inks":
        return saved(Image.new("CMYK", (10000, 9900)), "JPEG")
    if case == "tiff_float":
        return saved(Image.new("F", (9000, 9000), 0.5), "TIFF", compression="tiff_lzw")
    if case == "webp":
        return saved(Image.new("RGB", (8400, 8400)), "WEBP", method=0)
    if case == "avif":
        return saved(Image.new("RGB", (8100, 8100)), "AVIF", speed=10)
    if case == "gif":
        return saved(Image.new("P", (9900, 9900)), "GIF")
    if case == "png_words":
        whole = saved(small, "PNG")
        bomb = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(2**29), 9))
        return whole[:33] + bomb * 40 + whole[33:]
    if case == "png_blocks":
        whole = saved(small, "PNG")
        return whole[:33] + chunk(b"tEXt", b"a\0b") * 3_000_000 + whole[33:]
    if case == "tiff_tags":
        entries = b"".join(struct.pack("<HHII", 40000 + k, 7, 40_000_000, 8) for k in range(4000))
        return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 4000) + entries + bytes(45_000_000)
    if case == "jpeg_exif":
        entries = b"".join(struct.pack("<HHII", 40000 + k, 7, 60000, 8) for k in range(4000))
        exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 4000) + entries + bytes(4000)
        whole = saved(small, "JPEG")
        part = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
        return whole[:2] + part * 900 + whole[2:]
    if case == "jpeg_segments":
        whole = saved(small, "JPEG")
        return whole[:2] + b"\xff\xfe\0\2" * 12_000_000 + whole[2:]
    if case == "jpeg_scans":
        whole = saved(Image.new("L", (9000, 9000)), "JPEG", progressive=True)
        at = whole.rfind(b"\xff\xda")
        scan = whole[at:-2]
        return whole[:-2] + scan * 2000 + whole[-2:]
    if case == "tiff_tiles":
        names = {256: 16, 257: 1_000_000, 258: 8, 259: 8, 262: 1, 277: 1, 322: 1_000_000, 323: 16}
        body = zlib.compress(bytes(16_000_000), 9)
        count = 62_500
        start = 8 + 2 + 12 * 10 + 4
        entries = [struct.pack("<HHII", k, 4, 1, v) for k, v in sorted(names.items())]
        entries += [
            struct.pack("<HHII", 324, 4, count, start),
            struct.pack("<HHII", 325, 4, count, start + 4 * count),
        ]
        tables = struct.pack("<I", start + 8 * count) * count + struct.pack("<I", len(body)) * count
        return b"II*\0" + struct.pack("<IH", 8, 10) + b"".join(entries) + bytes(4) + tables + body


if __name__ == "__main__":
    data = make(sys.argv[1])
    assert len(data) < 50e6, len(data)
    Path(sys.argv[2]).write_bytes(data)
