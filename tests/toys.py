"""Tiny scores and networks whose attributions are known by hand; all take (N, 3, H, W) and give (N,)"""
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


def texture(height: int, width: int, *, seed: int = 0) -> np.ndarray:  # (height, width, 3) uint8
    "A colored texture with the spectrum of a photograph: amplitude one over frequency, random phase"
    draw = np.random.default_rng(seed).standard_normal((3, height, width))
    draw[1:] = 0.8 * draw[:1] + 0.2 * draw[1:]
    cycles = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    planes = np.fft.irfft2(np.fft.rfft2(draw) / np.maximum(cycles, 1 / max(height, width)), s=(height, width))
    planes -= planes.mean((1, 2), keepdims=True)
    return np.moveaxis(np.clip(128 + 45 * planes / planes.std(), 0, 255), 0, -1).astype(np.uint8)


def planted(height: int, width: int, *, box, cycles=0.25, level=10.0, seed=0) -> np.ndarray:  # uint8
    "A texture with a wave along x of `level` gray levels inside `box` (left, top, right, bottom)"
    left, top, right, bottom = box
    pixels = texture(height, width, seed=seed).astype(float)
    wave = level * np.cos(2 * np.pi * cycles * np.arange(left, right))
    pixels[top:bottom, left:right] += wave[None, :, None]
    return np.clip(pixels, 0, 255).round().astype(np.uint8)


class Linear(nn.Module):
    "f(x) = <weight, x> + bias: each part owes <weight, part>, whatever the method"

    def __init__(self, height: int, width: int, *, seed: int = 0, scale: float = 0.05):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(scale * torch.randn(3, height, width, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).sum((1, 2, 3)) + 0.5


class Product(nn.Module):
    """f(x) = <u, x> <v, x>: a game of pairs

    From x0, with d = x - x0 and U = <u, d>: integrated gradients, Shapley and two-ended values are all
    <u, x0> v_k + <v, x0> u_k + (u_k V + v_k U) / 2, where u_k = <u, part k>.
    """

    def __init__(self, height: int, width: int):
        super().__init__()
        self.u, self.v = Linear(height, width, seed=1), Linear(height, width, seed=2)

    def forward(self, x: Tensor) -> Tensor:
        return (self.u(x) - 0.5) * (self.v(x) - 0.5)

    def owed(self, baseline: Tensor, parts: Tensor) -> Tensor:  # (3, H, W), (K, 3, H, W) -> (K,)
        "The values by hand"
        u, v = ((parts * f.weight).sum((1, 2, 3)) for f in (self.u, self.v))
        u0, v0 = ((baseline * f.weight).sum() for f in (self.u, self.v))
        return u0 * v + v0 * u + (u * v.sum() + v * u.sum()) / 2


class Detector(nn.Module):
    "Energy of the wave of four pixels along x, anywhere: smooth, not linear, and any size from 32 px"

    def __init__(self):
        super().__init__()
        wave, fade = torch.arange(32) * torch.pi / 2, torch.hann_window(32) / 16
        kernel = torch.stack([wave.cos() * fade, wave.sin() * fade])[:, None, None].repeat(1, 3, 1, 1)
        self.filter = nn.Conv2d(3, 2, (1, 32), bias=False)
        self.filter.weight = nn.Parameter(kernel)

    def forward(self, x: Tensor) -> Tensor:
        return 4 * torch.log1p(500 * self.filter(x).square().mean((1, 2, 3))) - 2


class Network(nn.Module):
    "A small smooth network with seeded weights, for what needs no meaning"

    def __init__(self, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 16, 5, stride=2), nn.Tanh(), nn.Conv2d(16, 32, 3, stride=2), nn.GELU(),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1),
            )

    def forward(self, x: Tensor) -> Tensor:
        return 20 * self.layers(x)[:, 0]


def broken(x: Tensor) -> Tensor:
    "A score that is not a number"
    return x.mean((1, 2, 3)) * float("nan")


def blind(x: Tensor) -> Tensor:
    "A score without a gradient"
    return torch.from_numpy(x.detach().numpy().mean((1, 2, 3)))


@dataclass(frozen=True)
class ToyReader:
    "What `explain` asks of a reader: crop, scores, score(name), name, sha256"

    crop: int = 64
    name: str = "toy"
    version: str = "0"
    sha256: str = "0" * 64
    scores: tuple[str, ...] = ("generated", "processed", "source:a", "source:b", "up_sampling:nearest")

    def score(self, name, *, against=None):
        name = ":".join(name) if isinstance(name, tuple) else name
        if against is not None:
            mine, other = self.score(name), self.score(f"{name.partition(':')[0]}:{against}")
            return lambda x: mine(x) - other(x)
        return Detector() if name == "generated" else Network(self.scores.index(name))


class NetworkReader:
    "A reader around one network, as the shipped one is: its score follows when the network is exchanged"

    crop, name, scores = 64, "toy", ("generated",)

    def __init__(self):
        self.network = Detector()

    def score(self, name, *, against=None):
        return lambda x: self.network(x)
