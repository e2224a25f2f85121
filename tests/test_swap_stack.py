"""Pretext networks of tables that are trained as one: loss, gradient and weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from augan._device import precision_of_products
from augan.codecs.spec import Span, VectorSpec
from augan.networks import build_pretext, pretext, swap_stack
from augan.networks.pretext import MAX_SWAPPED, SwapPretext, compress
from augan.networks.swap_stack import SwapStack
from augan.training.pretext_phase import Member, Stacked
from augan.training.steps import TrainingConfig

OWNER = torch.tensor([0, 1, 1, 1, 2, 3, 3])  # a number, a category of three, a number, one of two
PLACES = {
    "all channels": (OWNER, torch.arange(7)),
    "some channels": (OWNER, torch.tensor([0, 1, 2, 5, 6])),  # one whole column never varies
    "a channel a column": (torch.arange(5), torch.arange(5)),
}


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(
    places: tuple[Tensor, Tensor], n: int = 3, weight: float = 1.0, width: int = 8
) -> list[SwapPretext]:
    size = len(places[0])
    spec = VectorSpec(tuple(Span(f"c{i}", i, i + 1, "identity") for i in range(size)))
    found = build_pretext(spec, places, width=width, n_networks=n, reconstruction_weight=weight)
    return [network for network in found if isinstance(network, SwapPretext)]


def batches_of(networks: list[SwapPretext], n_rows: int = 32) -> Tensor:
    """Return other rows (K, B, V) for each network, as it reads them."""
    size = len(networks[0].varying) + len(networks[0].constant)
    rows = 3 * torch.randn(len(networks), n_rows, size, generator=stream(1))
    return torch.stack([network.read(part) for network, part in zip(networks, rows, strict=True)])


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let products be in float32 on every processor."""
    monkeypatch.setattr(swap_stack, "precision_of_products", lambda device: torch.float32)


@pytest.fixture(params=PLACES)
def places(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    return PLACES[request.param]


def by_autograd(
    networks: list[SwapPretext],
    batches: Tensor,
    corrupted: Tensor,
    swapped: Tensor,
    patch: pytest.MonkeyPatch,
) -> tuple[list[float], list[dict[str, Tensor]]]:
    """Return losses and gradients of `SwapPretext.loss` for given corrupted batches."""
    losses, gradients = [], []
    for k, network in enumerate(networks):
        with patch.context() as inside:
            inside.setattr(pretext, "swap_columns", lambda *_, k=k: (corrupted[k], swapped[k]))
            inside.setattr(network, "read", lambda rows: rows)  # they are read
            loss = network.loss(batches[k], stream())
        weights = dict(network.named_parameters())
        found = torch.autograd.grad(loss, list(weights.values()))
        losses.append(loss.item())
        gradients.append(dict(zip(weights, found, strict=True)))
    return losses, gradients


def of_stack(stack: SwapStack, networks: list[SwapPretext]) -> Iterator[tuple[int, str, Tensor]]:
    """Yield network, name and gradient of all weights, from where the weights are in the stack."""
    assert stack.weights.grad is not None
    start = stack.weights.data_ptr()
    for k, network in enumerate(networks):
        for name, weights in network.named_parameters():
            place = (weights.data_ptr() - start) // weights.element_size()
            part = stack.weights.grad[place : place + weights.numel()]
            yield k, name, part.view_as(weights)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("weight", [1.0, 0.0, 20.0])
@pytest.mark.parametrize("n", [1, 3])
def test_loss_and_gradient_are_those_of_autograd(
    places: tuple[Tensor, Tensor], n: int, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = made(places, n, weight)
    stack = SwapStack(networks)
    assert stack.precision == torch.float32
    batches = batches_of(networks)
    for seed in (3, 4):  # a gradient takes the place of the one before
        corrupted, swapped = stack.corrupted(batches, stream(seed))
        expected, gradients = by_autograd(networks, batches, corrupted, swapped, monkeypatch)
        with torch.no_grad():
            loss = stack.loss_and_gradient(batches, stream(seed))
        assert loss.shape == ()
        assert loss.item() == pytest.approx(sum(expected) / n, rel=1e-5)
        seen = 0
        for k, name, found in of_stack(stack, networks):
            assert torch.allclose(found, gradients[k][name], rtol=1e-4, atol=1e-7), (k, name)
            seen += found.numel()
        total = sum(weights.numel() for m in networks for weights in m.parameters())
        assert seen == stack.weights.numel() == total


def test_products_in_bfloat16_have_nearly_the_same_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for precision in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(swap_stack, "precision_of_products", lambda _, p=precision: p)
        networks = made(PLACES["all channels"], width=64)
        stack = SwapStack(networks)
        assert stack.precision == precision
        with torch.no_grad():
            loss = stack.loss_and_gradient(batches_of(networks, 128), stream())
        assert stack.weights.dtype == stack.weights.grad.dtype == loss.dtype == torch.float32
        found.append((loss, stack.weights.grad))
    (loss, exact), (rough_loss, rough) = found
    assert rough_loss.item() == pytest.approx(loss.item(), rel=1e-2)
    assert torch.cosine_similarity(exact, rough, dim=0) > 0.999
    assert rough.norm().item() == pytest.approx(exact.norm().item(), rel=1e-2)
    assert not torch.equal(rough, exact)


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16"])
def test_products_are_rounded_where_the_processor_can_multiply_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = torch.device("cpu")
    for known in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda k=known: {name: k}, raising=False)
        assert precision_of_products(cpu) == (torch.bfloat16 if known else torch.float32)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert precision_of_products(cpu) == torch.float32


# Swapped columns


def test_columns_are_swapped_between_rows_of_one_batch(places: tuple[Tensor, Tensor]) -> None:
    """Values say where they come from: batch, row and, after the point, channel."""
    networks = made(places)
    stack, n_channels = SwapStack(networks), len(places[1])
    batches = (1000 * torch.arange(3)[:, None, None] + torch.arange(200)[:, None]).double()
    batches = batches + torch.arange(n_channels) / 100
    corrupted, swapped = stack.corrupted(batches, stream())
    owner = networks[0].owner
    n_columns = len(owner.unique())
    assert swapped.shape == (3, 200, n_columns) and swapped.dtype == torch.bool
    assert ((100 * (corrupted % 1)).round() == torch.arange(n_channels)).all()
    assert (corrupted // 1000 == torch.arange(3)[:, None, None]).all()
    by_channel = swapped[..., owner]
    assert torch.equal(corrupted[~by_channel], batches[~by_channel])
    donors = (corrupted % 1000).floor()
    others = donors != torch.arange(200)[:, None]
    assert others[by_channel].float().mean() > 0.97
    for column in range(n_columns):  # the channels of a column move together
        own = donors[..., owner == column]
        assert (own == own[..., :1]).all()
    assert len(donors[by_channel].unique()) > 150
    assert not torch.equal(swapped[0], swapped[1])


def test_the_share_of_swapped_columns_varies_as_in_one_batch() -> None:
    owner = torch.arange(1000)
    stack = SwapStack(made((owner, owner), 2))
    _, swapped = stack.corrupted(torch.zeros(2, 400, 1000), stream())
    share = swapped.float().mean(dim=2).flatten()
    assert share.max() < MAX_SWAPPED + 4 * (0.25 / 1000) ** 0.5
    assert share.min() < 0.02
    assert share.mean().item() == pytest.approx(MAX_SWAPPED / 2, abs=0.03)
    assert share.std().item() == pytest.approx(MAX_SWAPPED / math.sqrt(12), abs=0.02)


# Weights


def test_weights_are_kept_and_are_views_of_the_stacks(places: tuple[Tensor, Tensor]) -> None:
    networks = made(places)
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in networks]
    stack = SwapStack(networks)
    for network, known in zip(networks, before, strict=True):
        for name, value in network.state_dict().items():
            assert torch.equal(value, known[name]), name
            assert value.untyped_storage().data_ptr() == stack.weights.untyped_storage().data_ptr()
    with torch.no_grad():
        stack.weights += 1
    for network, known in zip(networks, before, strict=True):
        for name, value in network.state_dict().items():
            assert torch.equal(value, known[name] + 1), name
    states = [{k: v.clone() for k, v in m.state_dict().items()} for m in made(places)]
    for network, state in zip(networks, states, strict=True):  # loading fills the stack
        network.load_state_dict(state)
    fresh = SwapStack(made(places))
    assert torch.equal(stack.weights, fresh.weights)


@pytest.mark.usefixtures("exact")
def test_each_network_is_trained_on_its_own_rows_alone() -> None:
    """Other rows for one network change its weights, and no other's."""
    states = []
    for changed in (False, True):
        networks = made(PLACES["all channels"])
        rows = [torch.randn(40, 7, generator=stream(seed)) for seed in range(3)]
        if changed:
            rows[1] = rows[1] + 1
        members = [
            Member(m, part, torch.arange(40)) for m, part in zip(networks, rows, strict=True)
        ]
        stacked, random = Stacked(members), stream()
        for _ in range(4):
            stacked.step(TrainingConfig(batch_size=16), random)
        stacked.finish()
        states.append([network.state_dict() for network in networks])
    for k, (one, other) in enumerate(zip(*states, strict=True)):
        same = [torch.equal(value, other[name]) for name, value in one.items()]
        assert not any(same) if k == 1 else all(same)


def test_after_training_the_weights_are_the_networks_own() -> None:
    networks = made(PLACES["some channels"])
    rows = torch.randn(50, 7, generator=stream())
    stacked = Stacked([Member(network, rows, torch.arange(50)) for network in networks])
    config = TrainingConfig(batch_size=16)
    stacked.step(config, stream())
    trained = [{k: v.clone() for k, v in m.state_dict().items()} for m in networks]
    stacked.finish()
    with torch.no_grad():
        stacked.stack.weights.zero_()
    for network, known in zip(networks, trained, strict=True):
        assert not network.training
        for name, weights in network.named_parameters():
            assert torch.equal(weights, known[name]), name
            assert not weights.requires_grad and weights.grad is None
            # a saved or pickled network takes no more space than it needs
            assert weights.untyped_storage().nbytes() == weights.nbytes
            assert weights.is_contiguous()


@pytest.mark.parametrize("limit", [None, 1e-3])
def test_the_gradient_is_clipped(limit: float | None) -> None:
    networks = made(PLACES["all channels"])
    rows = torch.randn(50, 7, generator=stream())
    stacked = Stacked([Member(network, rows, torch.arange(50)) for network in networks])
    figures = stacked.step(TrainingConfig(batch_size=16, gradient_clip=limit), stream())
    assert set(figures) == {"pretext_loss", "pretext_gradient_norm"}
    own = stacked.stack.weights.grad.norm().item()
    assert figures["pretext_gradient_norm"].item() > 0.1
    expected = figures["pretext_gradient_norm"].item() if limit is None else limit
    assert own == pytest.approx(expected, rel=1e-3)


# Channels that never vary


def test_only_channels_that_vary_are_read() -> None:
    owner, varying = PLACES["some channels"]
    (network,) = made((owner, varying), 1)
    assert network.n_columns == 3 and network.repair.out_features == 5
    assert network.constant.tolist() == [3, 4]
    rows = 10 * torch.randn(30, 7, generator=stream())
    assert torch.equal(network.read(rows), compress(rows[:, varying]))
    changed = rows.clone()
    changed[:, 3:5] += 5
    with torch.no_grad():
        features = network.features(rows)
        assert torch.equal(features, network.features(changed))
        errors = network.repair_error(changed, features)
        repaired = network.repair(features[:, 8:])
    assert errors.shape == (30, 7)
    expected = repaired - compress(rows[:, varying])
    assert torch.equal(errors[:, varying], expected)
    assert torch.equal(errors[:, 3:5], compress(changed[:, 3:5]))  # 0 is expected of them
