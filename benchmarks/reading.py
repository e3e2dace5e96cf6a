"""How fast and how lean is reading? Ratios against the paper's configuration in plain fp32, in the same run

    python benchmarks/reading.py [--rounds 5]

1. Many 256 px pictures: CPU time a pixel, one thread, of the shipped networks (fp32; bf16 apart) and of the
   paper's configuration (FEN of 17 layers and 64 channels with its parser on 64 px crops, plain fp32, not
   folded, NCHW), rounds interleaved, medians. The accuracy of both sides stands beside the ratio
   (`benchmarks/paper.py` trains the reference; it is under-trained).
2. One 12-megapixel JPEG from bytes to `Reading`, warm, all cores: wall seconds and peak memory.
"""

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import deepnb
from deepnb.core import data_path
from deepnb.evaluation import evaluate
from deepnb.fen import FingerprintConfig, FingerprintNetwork
from deepnb.pn import ParsingConfig, ParsingNetwork
from deepnb.reader import Reader
from deepnb.scores import read_scores

PAPER = Path(__file__).parent / "results" / "paper.json"


def picture_12mp() -> bytes:
    "A 4032 x 3024 JPEG (quality 92) made of a bundled picture, mirrored and tiled, with noise"
    path = sorted(data_path("data", "pictures").glob("*.[jp][pn]*g"))[0]
    tile = np.asarray(Image.open(path).convert("RGB"))
    tile = np.concatenate([tile, tile[:, ::-1]], 1)
    tile = np.concatenate([tile, tile[::-1]], 0)
    rows, columns = -(-3024 // tile.shape[0]), -(-4032 // tile.shape[1])
    pixels = np.tile(tile, (rows, columns, 1))[:3024, :4032].astype(np.int16)
    pixels += np.random.default_rng(0).integers(-3, 4, pixels.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def one_large(rounds: int) -> None:
    "Wall seconds of warm readings and this process's peak memory"
    data, reader = picture_12mp(), Reader.load()
    deepnb.load(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    reader.read(data)
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        reader.read(data)
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"12-megapixel JPEG, {len(data) / 1e6:.1f} MB, warm, {torch.get_num_threads()} threads: "
        f"median {statistics.median(seconds):.2f} s wall ({min(seconds):.2f} to {max(seconds):.2f})"
    )
    print(f"peak memory of the process {peak:.0f} MB, {before:.0f} MB of it before the first reading")


def sides() -> dict:
    "What is timed: name to (function, pixels that one call reads)"
    torch.manual_seed(0)
    reader = Reader.load()
    fields = reader.settings.network.slots
    paper = torch.nn.Sequential(
        FingerprintNetwork(FingerprintConfig.paper()), ParsingNetwork(ParsingConfig.paper(fields))
    ).eval()
    crops = torch.rand(4, 3, 128, 128)  # one 256 px picture
    nhwc = crops.to(memory_format=torch.channels_last)
    small = torch.nn.functional.unfold(crops, 64, stride=64).transpose(1, 2).reshape(-1, 3, 64, 64)

    def bf16():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            reader.network(nhwc)

    pixels = 4 * 128 * 128
    return {
        "paper's configuration, fp32": (lambda: paper(small), pixels),
        "shipped networks, fp32": (lambda: reader.network(nhwc), pixels),
        "shipped networks, bf16": (bf16, pixels),
    }


@torch.inference_mode()
def many_small(rounds: int) -> None:
    "Median CPU time a megapixel, and the ratio of each side to the paper's configuration round by round"
    torch.set_num_threads(1)
    timed, spent = sides(), {}
    for number in range(rounds + 1):
        for name, (call, pixels) in timed.items():
            begin = time.process_time()
            call()
            if number:
                spent.setdefault(name, []).append((time.process_time() - begin) / pixels * 1e6)
    reference = spent["paper's configuration, fp32"]
    print(f"256 px pictures, one thread, CPU seconds a megapixel, median of {rounds} interleaved rounds:")
    for name, seconds in spent.items():
        ratio = statistics.median(r / s for r, s in zip(reference, seconds, strict=True))
        print(
            f"  {name:30s} {statistics.median(seconds):7.2f}   {ratio:6.1f} x the throughput of the reference"
        )


def accuracy() -> None:
    "AUC of both sides on `dev`"
    name = Reader.load().name
    for row in evaluate(read_scores(), draws=200).of("generated, all", name):
        print(f"  shipped: {row}")
    if PAPER.exists():
        paper = json.loads(PAPER.read_text())
        print(
            f"  paper's configuration, UNDER-TRAINED ({paper['crops_seen']} crops):"
        )
        for treatment, (auc, low, high) in paper["auc"].items():
            print(
                f"    {treatment:10s} AUC {auc:.3f} ({low:.3f} to {high:.3f})"
            )
    else:
        print("  paper's configuration: not trained here; run benchmarks/paper.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--large", action="store_true", help="only the 12-megapixel picture (a fresh process)"
    )
    args = parser.parse_args()
    if args.large:
        return one_large(args.rounds)
    many_small(args.rounds)
    accuracy()
    sys.stdout.flush()
    subprocess.run([sys.executable, __file__, "--large", "--rounds", str(args.rounds)], check=True)


if __name__ == "__main__":
    main()
