"Contracts of the networks: shapes, determinism, gradients, constraints, checkpoints that survive a cut"

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepnb.batches import Batches, Recipe, cut, label_items
from deepnb.core import WeightsError
from deepnb.fen import FingerprintConfig, FingerprintNetwork, constraints
from deepnb.pn import LightEncoder, ParsingConfig, ParsingNetwork, Welch, field_logits
from deepnb.source import BRANCHES, NetworkConfig, TraceNetwork
from deepnb.training import load_checkpoint, make_optimizer, save_checkpoint, take_step

CONFIG = NetworkConfig(
    fields=(("family", ("gan", "diffusion")), ("up_sampling", ("nearest", "fir"))), sources=("a", "b")
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return TraceNetwork(CONFIG).eval()


@settings(max_examples=8, deadline=None)
@given(height=st.integers(32, 90), width=st.integers(32, 90))
def test_any_size_from_32_px_is_answered(network, height, width):
    with torch.no_grad():
        answer = network(torch.rand(1, 3, height, width))
    assert answer["trace"].shape == (1, 3, height, width)
    assert all(value.isfinite().all() for value in answer.values())


def test_every_score_has_a_gradient_at_every_pixel(network):
    for name in ("generated", *BRANCHES):
        x = torch.rand(1, 3, 48, 48, requires_grad=True)
        network(x)[name].sum().backward()
        assert x.grad.isfinite().all() and (x.grad != 0).float().mean() > 0.5, name


def test_no_activation_works_in_place_or_twice(network):
    seen = []
    for module in network.modules():
        if isinstance(module, (torch.nn.ReLU, torch.nn.ReLU6)):
            assert not module.inplace
            module.register_forward_hook(lambda m, i, o: seen.append(id(m)))
    network(torch.rand(1, 3, 48, 48))
    assert seen and len(seen) == len(set(seen))


def test_content_is_gone_before_the_fingerprint_is_made(network):
    "A smooth shading added to a picture hardly moves its fingerprint"
    x = 0.3 + 0.2 * torch.rand(1, 3, 64, 64)
    shaded = x + torch.linspace(0, 0.3, 64)[None, None, :, None]
    inner = (..., slice(8, -8), slice(8, -8))
    with torch.no_grad():
        before, after = network.fen(x)[inner], network.fen(shaded)[inner]
        other = network.fen(0.3 + 0.2 * torch.rand(1, 3, 64, 64))[inner]
    assert (before - after).std() < 0.25 * (before - other).std()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(0.01, 2))
def test_constraints_do_not_depend_on_the_side_of_the_transform(seed, scale):
    "White noise costs the same at 64 and at 128 px (in the released code by far not)"
    torch.manual_seed(seed)
    terms = [constraints(scale * torch.randn(4, 3, side, side)) for side in (64, 128)]
    for name in ("low", "magnitude", "symmetry"):
        assert abs(terms[0][name] - terms[1][name]) < 0.15 * terms[0][name] + 1e-3, name


def test_symmetry_is_zero_exactly_for_a_symmetric_fingerprint():
    f = torch.randn(2, 3, 32, 32)
    assert constraints(f + f.transpose(2, 3))["symmetry"] < 1e-8 < constraints(f)["symmetry"]


def test_welch_does_not_see_where_a_periodic_trace_begins():
    wave = torch.cos(torch.arange(96) * 2 * torch.pi / 4)
    first, second = wave[:64], wave[1:65]
    spectra = [Welch()(9 * w.expand(1, 1, 64, 64)) for w in (first, second)]
    torch.testing.assert_close(spectra[0], spectra[1], atol=0.05, rtol=0.01)


def test_paper_configurations_build_from_the_same_classes():
    fen = FingerprintNetwork(FingerprintConfig.paper())
    pn = ParsingNetwork(ParsingConfig.paper(CONFIG.slots)).eval()
    assert sum(isinstance(m, torch.nn.Conv2d) for m in fen.modules()) == 17
    slots = pn(fen.eval()(torch.rand(2, 3, 64, 64)))["slots"]
    assert {name: tuple(v.shape) for name, v in field_logits(slots, CONFIG.slots).items()} == {
        "family": (2, 2),
        "up_sampling": (2, 2),
    }
    assert LightEncoder(32)(torch.rand(1, 3, 40, 40)).shape == (1, 32)


def toy_batches(recipe):
    from deepnb.corpus import Item

    items = [
        Item(f"{i}.png", "train", kind, generator=name, lineage=name, pair="2.png" if i == 3 else "")
        for i, (kind, name) in enumerate(
            [("generated", "a"), ("camera", ""), ("aligned", "_input"), ("aligned", "b")]
        )
    ]
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in items]
    return Batches(items, pictures, label_items(items, NetworkConfig((), ("a", "b")), {}), recipe)


def test_content_matched_pairs_share_damage_and_place():
    "With one picture on both sides of a pair, both places of the pair are the same crop"
    recipe = Recipe(out="", batch=16, crop=48, pair_share=1.0)
    batches = toy_batches(recipe)
    batches.pictures = [batches.pictures[0]] * 4
    batch = batches[3]
    assert (batch["pixels"][::2] == batch["pixels"][1::2]).all()
    assert batch["generated"].tolist() == [1, 0] * 8


def test_a_cut_training_takes_the_steps_it_would_have_taken(tmp_path):
    recipe = Recipe(out=str(tmp_path), steps=4, batch=4, crop=48)
    batches = toy_batches(recipe)

    def run(first, last, network, optimizer):
        for step in range(first, last):
            batch = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in batches[step].items()}
            batch["fields"] = torch.full((4, 2), -1)
            take_step(network.train(), optimizer, batch, step=step, recipe=recipe)
        return network, optimizer

    def fresh():
        torch.manual_seed(1)
        network = TraceNetwork(CONFIG)
        return network, make_optimizer(network, recipe)

    whole, _ = run(0, 3, *fresh())
    half, optimizer = run(0, 2, *fresh())
    save_checkpoint(tmp_path, half, optimizer, step=2, recipe=recipe)
    resumed, again = fresh()
    assert load_checkpoint(tmp_path, resumed, again) == 2
    resumed, _ = run(2, 3, resumed, again)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_broken_checkpoint_is_named(tmp_path, network):
    optimizer = torch.optim.AdamW(network.parameters())
    save_checkpoint(tmp_path, network, optimizer, step=1, recipe=Recipe(out=""))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="does not fit"):
        load_checkpoint(tmp_path, network)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150), size=st.integers(16, 112))
def test_cut_gives_a_square_of_the_pictures_own_pixels(height, width, size):
    pixels = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3)
    square = cut(pixels, size, np.random.default_rng(0))
    assert square.shape == (size, size, 3)
    assert np.isin(square, pixels).all()
