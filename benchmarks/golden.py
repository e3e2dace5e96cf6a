"""Write tests/golden.json: the shipped reader's answers on the bundled pictures, to be compared ever after

    python benchmarks/golden.py
"""

import json
from pathlib import Path

from deepnb.core import data_path
from deepnb.reader import Reader

if __name__ == "__main__":
    reader = Reader.load("default", device="cpu")
    paths = sorted(p for p in data_path("data", "pictures").iterdir() if p.suffix in (".jpg", ".png", ".webp"))
    readings = {path.name: reader.read(path) for path in paths}
    kept = {name: {"verdict": str(r.verdict), "score": round(r.score, 4)} for name, r in readings.items()}
    out = Path(__file__).parents[1] / "tests" / "golden.json"
    out.write_text(json.dumps({"reader": reader.sha256, "pictures": kept}, indent=1) + "\n")
    for name, row in kept.items():
        print(f"{name:20s} {row['verdict']:12s} {row['score']:+.2f}")
