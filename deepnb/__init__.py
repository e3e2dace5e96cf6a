"""Fingerprints of generative models: read one picture, infer the machine, see the evidence

The names below load what they need on first use; `import deepnb` itself loads no network library.
"""
__version__ = "0.1.0"

import os
import sys
from importlib import import_module

# Before torch is loaded: its threads sleep while they wait for each other. On a machine with other work, threads that
# spin instead took twice the time and twice the processor (and in a notebook kernel, minutes).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {  # public name -> the module that holds it
    "load": "picture",
    "read": "reader",
    "Reader": "reader",
    "explain": "explanation",
    "regions": "parts",
    "bands": "parts",
    "joint": "parts",
    "panel": "notebook",
    "write_report": "notebook",
}
__all__ = ["Reader", "bands", "explain", "joint", "load", "panel", "read", "regions", "write_report"]


def _in_notebook():
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'deepnb' has no attribute {name!r}")
    if _in_notebook():  # there, readings and explanations show themselves as figures
        import_module("deepnb.notebook")
    value = globals()[name] = getattr(import_module(f"deepnb.{_HOMES[name]}"), name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})
