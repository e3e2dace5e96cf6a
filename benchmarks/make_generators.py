"""Write deepnb/data/generators.json from the corpus' generators.csv

    python benchmarks/make_generators.py ../shared/corpus/generators.csv

The corpus describes each generator in free text. This command maps that text to the `deepnb` vocabulary with
the rules below, first match wins, and maps to nothing where the text leaves a doubt ("nearest or bilinear"):
a missing value is masked in training, a wrong one teaches a mistake.
"""

import argparse
import csv
import json
import re
from collections import Counter
from pathlib import Path

from deepnb.core import data_path
from deepnb.vocabulary import FIELDS, Hyperparameters

DOUBT = None  # a rule with this value says: the text fits, and it does not settle the matter

FAMILY = (
    (r"^ar$", "autoregressive"),
    (rf"^({'|'.join(FIELDS[0].values)})$", r"\1"),
)
UP_SAMPLING = (
    (r"nearest or bilinear|beforehand|outside the net|x3:|see flags|\(upsample\)|shrink inside", DOUBT),
    (r"fir blur|stylegan2 transposed convolution \+ blur|fused up-convolution with blur", "fir"),
    (r"^none", "none"),
    (r"^nearest", "nearest"),
    (r"^bilinear", "bilinear"),
    (r"^transposed conv", "transposed"),
    (r"^pixel shuffle|^unsqueeze \(depth to space\)", "pixel_shuffle"),
)
NORMALIZATION = (
    (r"models: batch|none / batch|inside mobilesr|only in mid-block|pixelwise|actnorm|lade", DOUBT),
    (r"groupnorm in vae|^group ?norm", "group"),
    (r"^weight demodulation", "weight"),
    (r"^adain|^instance|^conditional instance", "instance"),
    (r"^batch|^conditional batch", "batch"),
    (r"^layer", "layer"),
    (r"^none$|^none \(mean shift\)$", "none"),
)
LAST_NONLINEARITY = (
    (r" or ", DOUBT),
    (r"^tanh", "tanh"),
    (r"^sigmoid", "sigmoid"),
    (r"^none|^linear", "none"),
)
SKIP_CONNECTIONS = (
    (r"inside blocks|optional|latent fed|transformer|discriminator", DOUBT),
    (r"^yes|^u-net", True),
    (r"^no$|^residual blocks|^none in the final|none afterwards$", False),
)
ADVERSARIAL = (
    (r"not stated|not published|not checked|distillation|see repo", DOUBT),
    (r"gan\b|\bgan|hinge|adversarial|non-saturating|boundary equilibrium", True),
    (r"latent|velocity", DOUBT),  # the loss of the denoiser; the decoder, whose trace it is, has another
    (r"^mse|^l1|^charbonnier|denoising mse|epsilon|hybrid|content|likelihood|\+ kl|^huber", False),
)


def mapped(text: str, rules):
    "The value of the first rule that fits, or None"
    for pattern, value in rules:
        found = re.search(pattern, text.strip().lower())
        if found:
            return found.expand(value) if isinstance(value, str) and "\\" in value else value
    return None


def record(row: dict) -> dict:
    "One generator in the vocabulary"
    values = {
        "family": mapped(row["family"], FAMILY),
        "up_sampling": mapped(row["up_sampling"], UP_SAMPLING),
        "normalization": mapped(row["normalisation"], NORMALIZATION),
        "last_nonlinearity": mapped(row["last_nonlinearity"], LAST_NONLINEARITY),
        "skip_connections": mapped(row["skip_connections"], SKIP_CONNECTIONS),
        "adversarial": mapped(row["losses"], ADVERSARIAL),
    }
    if values["family"] in ("gan", "gan_i2i"):
        values["adversarial"] = True  # by definition of the family
    if values["family"] in ("latent_diffusion", "rectified_flow") and "pixel" not in row["architecture"]:
        values["adversarial"] = None  # see ADVERSARIAL: the decoder's loss is rarely stated
    known = Hyperparameters({name: value for name, value in values.items() if value is not None})
    return {
        "name": row["generator"],
        "lineage": row["lineage"],
        "kind": row["kind"],
        "family": values["family"],
        "hyperparameters": dict(known),
        "year": int(row["year"]) if row["year"].isdigit() else None,
    }


def main():
    "Read the table, write the file, print how much could be settled"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="the corpus' generators.csv")
    parser.add_argument("--out", type=Path, default=data_path("data", "generators.json"))
    args = parser.parse_args()
    with args.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records = sorted((record(row) for row in rows), key=lambda r: r["name"])
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in records)
    args.out.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(records)} generators")
    for field in FIELDS:
        counts = Counter(r["hyperparameters"].get(field.name, "-") for r in records)
        print(f"{field.name:18}", ", ".join(f"{value} {n}" for value, n in counts.most_common()))


if __name__ == "__main__":
    main()
