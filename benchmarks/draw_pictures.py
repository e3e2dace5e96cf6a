"""Draw the pictures that ship with deepnb: a seeded draw over all eligible ones, nobody chooses.

    python benchmarks/draw_pictures.py            # show the draw
    python benchmarks/draw_pictures.py --write    # copy it to deepnb/data/pictures, with record and credits

Eligible is a picture of the `dev` split (never `train`) whose own licence permits copying, of a
repository whose own code, model or camera made it, of at least 256 px on the short side, at most
500 kB, not a tile of a sheet, and without a person in it. The draw was made before any reader
existed; what the reader says of these pictures took no part in it.
"""

import csv
import hashlib
import json
import os
import random
import shutil
import sys
from pathlib import Path

SEED = 2026
HERE = Path(__file__).resolve().parent.parent
TARGET = HERE / "deepnb" / "data" / "pictures"
LICENCES = {"MIT", "BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "CC0-1.0", "CC-BY-4.0"}
MOST_BYTES, LEAST_SIDE = 500_000, 256

# A repository's licence need not cover every picture in it. These made theirs themselves (own model, own
# code, own camera, own rendering); galleries and pictures made from others' photographs are left out.
MAKERS = {
    "generated": {
        "FoundationVision/Infinity", "Kwai-Kolors/Kolors", "PixArt-alpha/PixArt-alpha",
        "LaurentMazare/diffusers-rs", "amiantos/AI-Horde-Styles", "borisdayma/dalle-mini",
        "filipstrand/mflux", "huggingface/candle", "huggingface/pytorch-pretrained-BigGAN",
        "kakaobrain/minDALL-E", "leejet/stable-diffusion.cpp", "rkhamilton/vqgan-clip-generator",
    },
    "camera": {"Tech4Tracing/CartridgeOCR"},
    "dataset_real": {"j6k4m8/photo-journal"},
    "other": {"RayTracing/raytracing.github.io", "mbadolato/iTerm2-Color-Schemes"},
}
HOW_MANY = {"generated": 3, "camera": 1, "dataset_real": 1, "other": 1}
MADE_FROM_A_PICTURE = ("controlnet", "ipadapter", "ip_adapter", "inpaint", "redux", "img2img", "edit")
WORDS = {
    "generated": "made by a generative model",
    "camera": "taken by a camera",
    "dataset_real": "a photograph, saved again after it was taken",
    "other": "drawn or rendered, not photographed",
}


def corpus_folder():
    "The corpus: `DEEPNB_CORPUS`, else `../shared/corpus` beside the checkout"
    return Path(os.environ.get("DEEPNB_CORPUS", HERE.parent / "shared" / "corpus"))


def table(path):
    "The rows of a CSV file"
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def eligible(row):
    "Whether the manifest's row may be drawn at all"
    return (
        row["split"] == "dev"
        and row["licence"] in LICENCES
        and row["source"].split("@")[0] in MAKERS.get(row["kind"], ())
        and row["confidence"] in ("", "sure")
        and min(int(row["width"] or 0), int(row["height"] or 0)) >= LEAST_SIDE
        and int(row["bytes"]) <= MOST_BYTES
        and not row["split_from"]
        and row["content"] not in ("face", "person")
        and not any(word in row["original"].lower() for word in MADE_FROM_A_PICTURE)
    )


def draw(rows, lineages):
    "The drawn rows, in the order in which they will be named: a generated one first, the rest mixed"
    rng, drawn = random.Random(SEED), []
    for kind, count in HOW_MANY.items():
        pool = [row for row in rows if row["kind"] == kind and eligible(row)]
        pool.sort(key=lambda row: row["path"])
        rng.shuffle(pool)
        seen, taken = set(), []
        for row in pool:
            lineage = lineages.get(row["generator"]) or row["path"]
            if lineage not in seen and len(taken) < count:
                seen.add(lineage)
                taken.append(row)
        print(f"{kind}: {len(taken)} of {len(pool)} eligible")
        drawn += taken
    first, *rest = drawn
    rng.shuffle(rest)
    return [first, *rest]


def record(row, name, generators):
    "What ships about one picture"
    maker = generators.get(row["generator"], {})
    fields = ("family", "architecture", "up_sampling", "normalisation", "year")
    known = {field: maker[field] for field in fields if maker.get(field)}
    return {
        "name": name, "sha256": row["sha256"], "licence": row["licence"], "source": row["source"],
        "original": row["original"], "kind": row["kind"], "made": WORDS[row["kind"]],
        "generator": row["generator"] if row["kind"] == "generated" else None,
        "lineage": maker.get("lineage"),
        "known": known, "camera_model": row["camera_model"] or None, "width": int(row["width"]),
        "height": int(row["height"]), "notes": row["notes"], "seed": SEED,
    }


def credits(records):
    "CREDITS.md: who made each picture, under which licence"
    lines = [
        "# Pictures that ship with deepnb",
        "",
        f"Drawn with seed {SEED} by `benchmarks/draw_pictures.py` out of all eligible pictures, before any",
        "reader existed. Bytes are those of the collection; *lossless window* means a window of the original",
        "that was cut out without loss. Each picture stands under the licence of its repository.",
        "",
        "| file | licence | repository@commit | path there | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for r in records:
        made = "; ".join(filter(None, (r["made"], r["generator"], r["camera_model"], r["notes"])))
        lines.append(f"| `{r['name']}` | {r['licence']} | {r['source']} | `{r['original']}` | {made} |")
    return "\n".join(lines) + "\n"


def main(write):
    "Show the draw; with `write`, copy it"
    folder = corpus_folder()
    rows = table(folder / "manifest.csv")
    generators = {row["generator"]: row for row in table(folder / "generators.csv")}
    drawn = draw(rows, {name: row["lineage"] for name, row in generators.items()})
    records = []
    for letter, row in zip("abcdefgh", drawn, strict=False):
        name = f"{letter}_{row['content'] or 'picture'}{Path(row['path']).suffix}"
        data = (folder / row["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"], f"{row['path']} was altered"
        records.append(record(row, name, generators))
        print(f"{name:15} {len(data):6} bytes  {row['kind']:12} {row['licence']:10} {row['source']}")
        if write:
            TARGET.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / row["path"], TARGET / name)
    if write:
        (TARGET / "pictures.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        (TARGET / "CREDITS.md").write_text(credits(records), encoding="utf-8")
    print(f"{sum((folder / row['path']).stat().st_size for row in drawn)} bytes in {len(drawn)} pictures")


if __name__ == "__main__":
    main("--write" in sys.argv[1:])
