"""What an explanation costs: integrated gradients with the exact split, against Captum's Shapley sampling

    python benchmarks/explain.py              the shipped reader, one crop of a bundled picture
    python benchmarks/explain.py --side 256   four crops
    python benchmarks/explain.py --quick      a small network in its place
    python benchmarks/explain.py --frame 4000 3000          12 megapixels, by as many crops as asked (--most)
    python benchmarks/explain.py --frame 256 256 --threads 2 --most 4

Both sides explain the same 96 joint parts (4 x 4 regions in 6 bands) from the same baseline, in 32-bit floats
on one thread; time is CPU time of the process. Rounds of both are interleaved and medians taken. Captum's
sampling is timed at one permutation and multiplied, since its cost is proportional to them. Errors are
relative L2 distances to a long run of antithetic permutations, whose own standard error is given too; that of
n plain permutations follows from the spread of that run's single permutations, as spread / sqrt(n).
"""

import argparse
import resource
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from deepnb.core import data_path
from deepnb.explanation import explain
from deepnb.parts import joint, split
from deepnb.picture import load

PLAN = joint(regions=(4, 4), bands=6)
SAMPLES = 25


def cpu(call):  # seconds of CPU, and the answer
    started = time.process_time()
    answer = call()
    return time.process_time() - started, answer


def find_reader(quick: bool):
    if quick:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        import toys

        return toys.ToyReader(crop=128)
    from deepnb.reader import Reader

    return Reader.load("default", device="cpu")


def time_split(side: int, crops: int) -> float:
    generator = np.random.default_rng(0)
    slope, change = (generator.standard_normal((crops, 3, 128, 128)).astype(np.float32) for _ in "ab")
    corners = [(x, y, x + 128, y + 128) for y in range(0, side, 128) for x in range(0, side, 128)]
    ask = {"plan": PLAN, "size": (side, side), "boxes": np.array(corners)}
    return median(cpu(lambda: split(slope, change, **ask))[0] for _ in range(5))


def compare(args) -> dict:
    reader = find_reader(args.quick)
    path = sorted(data_path("data", "pictures").glob("*.jpg"))[0]
    pixels = load(path).pixels[: args.side, : args.side].astype(float)
    if args.quick:  # what the small network looks for
        pixels[:64, :64] += 20 * np.cos(np.arange(64) * np.pi / 2)[:, None]
    pixels = np.clip(pixels, 0, 255).round().astype(np.uint8)
    ask = {"reader": reader, "score": "generated", "parts": PLAN, "receipt": False}
    explain(pixels, **ask)  # warm
    ours, theirs = [], []
    for round_ in range(args.rounds):
        seconds, found = cpu(lambda: explain(pixels, **ask))
        ours.append(seconds)
        once = {**ask, "method": "shapley_sampling", "n_samples": 1, "seed": round_}
        theirs.append(cpu(lambda once=once: explain(pixels, **once))[0])
    ends = {**ask, "method": "two_ended"}
    timed = [cpu(lambda: explain(pixels, **ends)) for _ in range(min(3, args.rounds))]
    check = {**ask, "receipt": True}
    checked = median(cpu(lambda: explain(pixels, **check))[0] for _ in range(min(3, args.rounds)))
    long_run = explain(pixels, method="antithetic", n_samples=args.long, seed=1, **ask)
    rounds = np.asarray(long_run.raw)  # (permutations, K)
    right = rounds.mean(0)
    norm, pairs = np.linalg.norm(right), rounds.reshape(-1, 2, rounds.shape[1]).mean(1)
    return {
        "ours": median(ours), "theirs": median(theirs), "checked": checked,
        "split": time_split(args.side, len(found.read_boxes)),
        "error": np.linalg.norm(found.values - right) / norm,
        "correlation": np.corrcoef(found.values, right)[0, 1],
        "ends": median(seconds for seconds, _ in timed),
        "ends_error": np.linalg.norm(timed[0][1].values - right) / norm,
        "ends_correlation": np.corrcoef(timed[0][1].values, right)[0, 1],
        "spread": np.sqrt(rounds.var(0, ddof=1).sum()) / norm,
        "reference": np.sqrt(pairs.var(0, ddof=1).sum() / len(pairs)) / norm,
        "crops": len(found.read_boxes), "delta": found.score - found.baseline_score,
        "gap": found.convergence_delta,
    }


def report(m: dict, args) -> str:
    many, equal = m["theirs"] * SAMPLES, max(1, round((m["spread"] / m["error"]) ** 2))
    near = max(1, round((m["spread"] / m["ends_error"]) ** 2))
    what = "a toy network" if args.quick else "the shipped reader"
    rows = [
        ("integrated gradients + exact split", m["ours"], m["error"],
         f"correlation {m['correlation']:.3f}, convergence delta {m['gap']:+.4f}"),
        ("  the split into 96 parts alone", m["split"], None, f"{m['split'] / m['ours']:.1%} of it"),
        ("  with its receipt", m["checked"], None, ""),
        (f"Captum ShapleyValueSampling, {SAMPLES} samples", many, m["spread"] / SAMPLES**0.5, ""),
        ("Captum ShapleyValueSampling, equal error", m["theirs"] * equal, m["spread"] / equal**0.5,
         f"{equal} samples"),
        ("two-ended ablation", m["ends"], m["ends_error"], f"correlation {m['ends_correlation']:.3f}"),
        ("Captum ShapleyValueSampling, its error", m["theirs"] * near, m["spread"] / near**0.5,
         f"{near} samples, {m['theirs'] * near / m['ends']:.1f} times two-ended ablation"),
    ]
    lines = [f"{name:42s} {seconds:9.3f} {'' if error is None else f'{error:.3f}':>7s} "
             f"{seconds / m['ours']:8.1f}   {words}" for name, seconds, error, words in rows]
    return "\n".join([
        f"explaining {m['crops']} crop(s) of 128 px in 96 parts, {what}, fp32, one thread, "
        f"medians of {args.rounds} rounds",
        f"reference: {args.long} antithetic permutations, standard error {m['reference']:.3f}; "
        f"change of score {m['delta']:+.3f}",
        "", f"{'':42s} {'CPU s':>9s} {'error':>7s} {'ratio':>8s}", *lines])


def framed(args) -> str:
    """Wall seconds and peak memory of a picture of `--frame` width and height, with its receipt: median of the rounds

    The picture is a bundled one, cut to the frame, or mirrored side by side until it fills it: no large one is bundled.
    """
    reader = find_reader(args.quick)
    path = sorted(data_path("data", "pictures").glob("*.jpg"))[0]
    width, height = args.frame
    tile = load(path).pixels[:height, :width]
    pixels = np.pad(tile, ((0, height - tile.shape[0]), (0, width - tile.shape[1]), (0, 0)), mode="symmetric")
    plan = joint(regions=tuple(args.grid), bands=6)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    walls = []
    for _ in range(args.rounds):
        started = time.perf_counter()
        why = explain(pixels, reader=reader, parts=plan, most=args.most, receipt=not args.bare)
        walls.append(time.perf_counter() - started)
    wall, peak = median(walls), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share = sum((b[2] - b[0]) * (b[3] - b[1]) for b in why.read_boxes.tolist()) / (width * height)
    return (f"{width} x {height} px, {len(why.read_boxes)} crops of {reader.crop} px ({share:.1%} of the picture) in "
            f"{len(plan)} parts{'' if args.bare else ' with receipt'}, {args.threads} thread(s): {wall:.1f} s wall, "
            f"peak {peak:.0f} MB ({before:.0f} MB before), verdict {why.receipt and why.receipt.verdict}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small network instead")
    parser.add_argument("--side", type=int, default=128, choices=(128, 256), help="side of the picture, px")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=40, help="permutations of the reference")
    parser.add_argument("--frame", type=int, nargs=2, metavar=("W", "H"), help="wall time of a picture of this size instead")
    parser.add_argument("--most", type=int, default=8, help="crops of it, with --frame")
    parser.add_argument("--threads", type=int, default=1, help="with --frame")
    parser.add_argument("--grid", type=int, nargs=2, default=(4, 4), help="regions of it: rows, columns")
    parser.add_argument("--bare", action="store_true", help="no receipt, with --frame")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads if arguments.frame else 1)
    print(framed(arguments) if arguments.frame else report(compare(arguments), arguments))
