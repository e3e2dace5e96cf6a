"""How soon `import deepnb` and `deepnb --help` are there, beside a bare Python: python benchmarks/start.py

Medians of nine runs each, taken in turns so that a busy machine slows all alike. The design asks for under
0.2 s and 0.5 s on two cores at rest.
"""
import subprocess
import sys
import time
from statistics import median

RUNS = 9
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import deepnb": [sys.executable, "-c", "import deepnb"],
    "deepnb --help": [sys.executable, "-m", "deepnb", "--help"],
    "deepnb version": [sys.executable, "-m", "deepnb", "version"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def seconds(command):
    "Wall time of one run"
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def main():
    taken = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    bare = median(taken["python -c pass"])
    print(f"{'':<16}{'median s':>9}{'times bare Python':>19}")
    for name, times in taken.items():
        print(f"{name:<16}{median(times):>9.3f}{median(times) / bare:>19.1f}")


if __name__ == "__main__":
    main()
