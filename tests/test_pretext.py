"""The tasks that pretext networks learn from, what they learn, and the phase that trains them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from torch import Tensor

from augan import FAnoGAN
from augan.codecs.spec import ImageSpec, Span, VectorSpec
from augan.networks import Networks, build_networks, build_pretext
from augan.networks.pretext import (
    LINEAR_UP_TO,
    MAX_SWAPPED,
    SwapPretext,
    TransformPretext,
    compress,
    swap_columns,
)
from augan.networks.swap_stack import SwapStack
from augan.training.loop import SNAPSHOT_EVERY, Run, run_phase
from augan.training.pretext_phase import Member, PretextPhase, Stacked
from augan.training.steps import TrainingConfig

OWNER = torch.tensor([0, 1, 1, 1, 2, 3, 3])  # a number, a category of three, a number, one of two
ALL = torch.arange(7)  # each channel varies


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def labelled(n: int, owner: Tensor) -> Tensor:
    """Return rows whose values say where they come from: row in front of, channel behind, it."""
    return torch.arange(n).unsqueeze(1) + torch.arange(len(owner)) / 1000


# Swapped columns


def test_a_swapped_value_is_another_rows_value_in_the_same_column() -> None:
    rows = labelled(200, OWNER)
    corrupted, swapped = swap_columns(rows, OWNER, 4, stream())
    assert corrupted.shape == rows.shape
    assert swapped.shape == (200, 4)
    assert swapped.dtype == torch.bool
    channel = (1000 * (corrupted - corrupted.floor())).round()
    assert (channel == torch.arange(len(OWNER))).all()
    by_channel = swapped[:, OWNER]
    assert torch.equal(corrupted[~by_channel], rows[~by_channel])
    donors = corrupted.floor()[by_channel]
    assert ((donors >= 0) & (donors < 200)).all()
    assert (donors != rows.floor()[by_channel]).float().mean() > 0.95
    assert len(donors.unique()) > 100


def test_the_channels_of_a_column_move_together() -> None:
    corrupted, swapped = swap_columns(labelled(300, OWNER), OWNER, 4, stream())
    donors = corrupted.floor()
    for column in range(4):
        own = donors[:, column == OWNER]
        assert (own == own[:, :1]).all()
    one_hot = torch.eye(3)[torch.randint(3, (300,), generator=stream(1))]
    moved, _ = swap_columns(one_hot, torch.zeros(3, dtype=torch.long), 1, stream())
    assert torch.equal(moved.sum(dim=1), torch.ones(300))
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    both = swapped[:, 0] & swapped[:, 2]  # columns of one row have donors of their own
    assert (donors[both, 0] != donors[both, 4]).float().mean() > 0.9


def test_below_half_of_a_rows_columns_is_swapped_and_the_share_varies() -> None:
    n_columns = 4000
    owner = torch.arange(n_columns)
    _, swapped = swap_columns(torch.zeros(100, n_columns), owner, n_columns, stream())
    share = swapped.float().mean(dim=1)
    deviation = (0.25 / n_columns) ** 0.5
    assert share.max() < MAX_SWAPPED + 4 * deviation <= 0.5 + 4 * deviation
    assert share.min() < 0.05
    assert float(share.mean()) == pytest.approx(MAX_SWAPPED / 2, abs=0.06)
    assert share.std() > 0.1


def test_swaps_are_reproduced_by_the_generator_and_leave_the_global_stream() -> None:
    rows, before = labelled(50, OWNER), torch.get_rng_state()
    first, again, other = (swap_columns(rows, OWNER, 4, stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])
    assert torch.equal(rows, labelled(50, OWNER))
    assert torch.equal(before, torch.get_rng_state())


# Compressed numbers


def test_numbers_are_as_they_are_up_to_a_point_and_logarithms_beyond() -> None:
    x = torch.linspace(-LINEAR_UP_TO, LINEAR_UP_TO, 1001)
    assert torch.equal(compress(x), x)
    far = torch.tensor([6.5, 10.0, 100.0, 1e4])
    assert torch.allclose(compress(far), LINEAR_UP_TO + torch.log1p(far - LINEAR_UP_TO))
    assert float(compress(torch.tensor(LINEAR_UP_TO + np.e - 1))) == pytest.approx(LINEAR_UP_TO + 1)


def test_compressed_numbers_keep_sign_and_order_and_stay_small() -> None:
    x = torch.cat([torch.linspace(-10, 10, 2001), torch.tensor([-1e4, -500.0, 500.0, 1e4])]).sort()
    x = x.values
    y = compress(x)
    assert torch.equal(compress(-x), -y)
    assert (y.diff() > 0).all()
    assert torch.isfinite(y).all()
    assert y.abs().max() < 16
    assert torch.isfinite(compress(torch.tensor([1e30, -1e30]))).all()


# Transforms


def transforms_of(*shape: int) -> TransformPretext:
    (network,) = build_pretext(ImageSpec(*shape), None, width=4, n_networks=1)
    assert isinstance(network, TransformPretext)
    return network


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """Shift an image (H, W) pixel by pixel, the slow way."""
    height, width = image.shape
    result = torch.empty_like(image)
    for i in range(height):
        for j in range(width):
            row = min(max(i + down, 0), height - 1)
            result[i, j] = image[row, min(max(j + right, 0), width - 1)]
    return result


def test_each_transform_is_a_turn_of_a_shift() -> None:
    network = transforms_of(2, 8, 8)
    images = torch.rand(3, 2, 8, 8, generator=stream())
    assert len(network.transforms) == 20
    expected = {
        (turn, down, right): torch.stack(
            [
                torch.stack([torch.rot90(shifted(c, 2 * down, 2 * right), turn) for c in image])
                for image in images
            ]
        )
        for turn in range(4)
        for down, right in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    }
    assert len(expected) == 20
    found = set()
    for i in range(20):
        moved = network.transforms.apply(images, i)
        (key,) = (k for k, image in expected.items() if torch.equal(image, moved))
        found.add(key)
    assert found == set(expected)
    assert torch.equal(network.transforms.apply(images, 0), images)


def test_images_that_are_not_square_are_only_turned_upside_down() -> None:
    network = transforms_of(1, 8, 16)
    images = torch.rand(2, 1, 8, 16, generator=stream())
    assert len(network.transforms) == 10
    assert {turn for turn, _ in network.transforms.moves} == {0, 2}
    moved = [network.transforms.apply(images, i) for i in range(10)]
    assert all(image.shape == images.shape for image in moved)
    assert torch.equal(moved[0], images)
    assert any(torch.equal(image, images.flip(2, 3)) for image in moved)
    for i, image in enumerate(moved):
        assert not any(torch.equal(image, other) for other in moved[:i])


def test_what_moves_in_repeats_the_border() -> None:
    network = transforms_of(1, 8, 8)
    image = torch.zeros(1, 1, 8, 8)
    image[..., 0] = 1.0  # the leftmost column
    n_ones = []
    for i, (turn, _) in enumerate(network.transforms.moves):
        moved = network.transforms.apply(image, i)
        assert set(moved.unique().tolist()) <= {0.0, 1.0}
        if turn == 0:
            n_ones.append(int(moved.sum()))
    # in place; moved out; moved in by a quarter, with the border twice more; up and down
    assert n_ones == [8, 0, 24, 8, 8]


def test_the_task_has_every_transform_and_is_reproduced_by_the_generator() -> None:
    network = transforms_of(1, 8, 8)
    images = torch.rand(400, 1, 8, 8, generator=stream())
    asked: list[int] = []
    original = network.transforms.apply

    def transform(rows: Tensor, index: int) -> Tensor:
        asked.extend([index] * len(rows))
        return original(rows, index)

    network.transforms.apply = transform
    with torch.no_grad():
        losses = [float(network.loss(images, stream(seed))) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    assert set(asked) == set(range(20))
    assert len(asked) == 3 * 400


def test_transform_nll_is_the_mean_over_all_transforms() -> None:
    network = transforms_of(1, 8, 8).eval()
    images = torch.rand(5, 1, 8, 8, generator=stream())
    with torch.no_grad():
        expected = torch.zeros(5)
        for i in range(20):
            logits = network.classify(network.features(network.transforms.apply(images, i)))
            expected -= logits.softmax(dim=1)[:, i].log() / 20
        assert torch.allclose(network.transform_nll(images), expected, atol=1e-5)


# What is learned


def dependent_rows(n: int, seed: int = 0) -> Tensor:
    """Return rows (n, 7) of four columns, `OWNER`'s; each column depends on the first."""
    a = torch.randn(n, generator=stream(seed))
    noise = torch.randn(n, generator=stream(seed + 1000))
    kind = torch.eye(3)[(a > -0.5).long() + (a > 0.5).long()]
    return torch.cat(
        [a[:, None], kind, (a + 0.1 * noise)[:, None], torch.eye(2)[(a > 0).long()]], dim=1
    )


def trained(networks: Networks, rows: Tensor, *, n_steps: int, n_folds: int = 2) -> PretextPhase:
    folds = torch.arange(len(rows)) % n_folds
    phase = PretextPhase(networks, rows, folds, TrainingConfig(batch_size=64), 0)
    run_phase(phase, Run(), n_steps=n_steps, time_share=1.0)
    return phase


def with_pretext(
    spec: Any, places: tuple[Tensor, Tensor] | None, *, width: int, n_folds: int = 2
) -> Networks:
    networks = build_networks(spec, latent_dim=3, width=8)
    first, *others = build_pretext(spec, places, width=width, n_networks=n_folds + 1)
    networks.pretext, networks.folds = first, torch.nn.ModuleList(others)
    return networks


VECTOR = VectorSpec(tuple(Span(f"c{i}", i, i + 1, "identity") for i in range(7)))


def table_networks(n_folds: int = 2) -> Networks:
    return with_pretext(VECTOR, (OWNER, ALL), width=64, n_folds=n_folds)


def members_of(phase: PretextPhase) -> list[Member]:
    return [member for group in phase.groups for member in group.networks.members]


def test_swapped_columns_are_found_and_repaired() -> None:
    networks, fresh = table_networks(), dependent_rows(500, seed=7)
    network = networks.pretext
    assert isinstance(network, SwapPretext)
    with torch.no_grad():
        before = float(network.loss(fresh, stream()))
    trained(networks, dependent_rows(600), n_steps=300)
    corrupted, swapped = swap_columns(fresh, OWNER, 4, stream(5))
    with torch.no_grad():
        after = float(network.loss(fresh, stream()))
        errors = network.repair_error(corrupted, network.features(corrupted))
        repaired = errors + compress(corrupted)
        found = network.detect(network._hidden(compress(corrupted))[-1]).sigmoid()
    assert after < 0.7 * before
    was_swapped = swapped[:, OWNER]
    error = (repaired - fresh).square()[was_swapped].mean()
    to_the_mean = (fresh.mean(dim=0) - fresh).square()[was_swapped].mean()
    assert error < 0.75 * to_the_mean
    assert error < 0.5 * (corrupted - fresh).square()[was_swapped].mean()
    for column in range(4):
        assert roc_auc_score(swapped[:, column], found[:, column]) > 0.62


def test_rows_that_break_a_dependence_have_other_features() -> None:
    networks, fresh = table_networks(), dependent_rows(300, seed=7)
    trained(networks, dependent_rows(600), n_steps=300)
    network = networks.pretext
    assert network is not None
    broken = fresh.clone()
    broken[:, 4] = fresh[:, 4].flip(0)  # a usual value, of another row
    with torch.no_grad():
        own, odd = network.features(fresh), network.features(broken)
    assert own.shape == (300, 2 * 64)
    distances = torch.cdist(odd, own), torch.cdist(own, own).fill_diagonal_(torch.inf)
    nearest = [d.min(dim=1).values for d in distances]
    assert nearest[0].median() > 2 * nearest[1].median()


def test_extreme_rows_have_finite_features_and_repairs() -> None:
    network = table_networks().pretext
    assert isinstance(network, SwapPretext)
    extreme = torch.cat([torch.full((1, 7), 1e4), torch.full((1, 7), -1e4), torch.zeros(1, 7)])
    features = network.features(extreme)
    for values in (features, network.repair_error(extreme, features)):
        assert torch.isfinite(values).all()


def test_transforms_of_digits_are_recognised() -> None:
    data = load_digits()
    images = torch.from_numpy(data.images[data.target == 3]).float().unsqueeze(1) / 8 - 1
    networks = with_pretext(ImageSpec(1, 8, 8), None, width=16)
    network = networks.pretext
    assert isinstance(network, TransformPretext)
    with torch.no_grad():
        nll = float(network.transform_nll(images[150:]).mean())
    phase = trained(networks, images[:150], n_steps=150)
    asked = images[150:]
    with torch.no_grad():
        moved = [network.transforms.apply(asked, i) for i in range(20)]
        answers = torch.stack([network.classify(network.features(part)) for part in moved])
        answers = answers.argmax(dim=2)
        others = torch.from_numpy(data.images[data.target == 1]).float().unsqueeze(1) / 8 - 1
        assert network.transform_nll(asked).mean() < 0.7 * nll
        assert network.transform_nll(others).median() > network.transform_nll(asked).median()
    right = (answers == torch.arange(20).unsqueeze(1)).float().mean()
    assert right > 0.5  # by chance .05
    assert phase.measure()["held_out_loss"] < np.log(20)


# The phase


@pytest.mark.parametrize("short_folds", [False, True])
def test_the_network_of_a_fold_never_sees_its_fold(
    short_folds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, networks = dependent_rows(61), table_networks(n_folds=3)
    rows[:, 0] = torch.arange(61) / 20  # a row can be told by its first value
    folds = torch.arange(61) % 3
    folds[60] = -1  # a row of no fold is never left out
    config = TrainingConfig(batch_size=16)
    phase = PretextPhase(networks, rows, folds, config, 0, short_folds=short_folds)
    members = members_of(phase)
    assert [group.every for group in phase.groups] == ([1, 2] if short_folds else [1])
    assert len(members) == 4
    assert networks.folds is not None
    assert members[0].network is networks.pretext
    assert members[0].index.tolist() == list(range(61))
    for k in range(3):
        assert members[1 + k].network is networks.folds[k]
        assert members[1 + k].index.tolist() == [i for i in range(61) if folds[i] != k]

    seen: dict[int, set[int]] = {}
    stacks = {
        id(group.networks.stack): group.networks.members
        for group in phase.groups
        if isinstance(group.networks, Stacked)
    }

    def numbers(batch: Tensor) -> set[int]:
        return set((20 * batch[:, 0]).round().int().tolist())

    def step(self: SwapStack, batches: Tensor, random: torch.Generator) -> Tensor:
        for member, batch in zip(stacks[id(self)], batches, strict=True):
            seen.setdefault(id(member.network), set()).update(numbers(batch))
        return original_step(self, batches, random)

    def loss(self: SwapPretext, batch: Tensor, random: torch.Generator) -> Tensor:
        seen.setdefault(id(self), set()).update(numbers(batch))
        return original(self, batch, random)

    original_step, original = SwapStack.loss_and_gradient, SwapPretext.loss
    monkeypatch.setattr(SwapStack, "loss_and_gradient", step)
    monkeypatch.setattr(SwapPretext, "loss", loss)
    for _ in range(120):
        phase.step(1.0)
    for member in members:
        assert seen[id(member.network)] == set(member.index.tolist())
    seen.clear()
    phase.measure()
    assert seen == {id(networks.folds[0]): {i for i in range(60) if i % 3 == 0}}


def test_the_networks_of_the_folds_take_half_of_the_steps_if_they_are_to() -> None:
    """The one on all rows takes each step, at the rate of that step."""
    networks = table_networks()
    folds, config = torch.arange(60) % 2, TrainingConfig(batch_size=16)
    phase = PretextPhase(networks, dependent_rows(60), folds, config, 0, short_folds=True)
    changed: list[tuple[bool, bool, bool]] = []
    for i in range(5):
        before = states_of(networks)
        figures = phase.step(1 / (1 + i))
        assert set(figures) == {"pretext_loss", "pretext_gradient_norm"}
        assert phase.rates() == {"pretext_learning_rate": pytest.approx(1e-3 / (1 + i))}
        after = states_of(networks)
        kept, first, second = (
            any(not torch.equal(before[k], after[k]) for k in before if k.startswith(name))
            for name in ("pretext.", "folds.0.", "folds.1.")
        )
        changed.append((kept, first, second))
    assert changed == [(True, i % 2 == 0, i % 2 == 0) for i in range(5)]


def test_networks_of_encodings_of_their_own_are_trained_and_the_first_is_kept() -> None:
    """With an encoding for each fold, no network is trained on all rows."""
    networks, folds = table_networks(), torch.arange(60) % 2
    parts = [dependent_rows(60, seed) for seed in (0, 5)]
    config = TrainingConfig(batch_size=16)
    phase = PretextPhase(networks, parts[0], folds, config, 0, parts, short_folds=True)
    assert networks.folds is not None and networks.pretext is not None
    assert [member.network for member in members_of(phase)] == list(networks.folds)
    for member, part in zip(members_of(phase), parts, strict=True):
        assert torch.equal(member.rows, compress(part))
    run_phase(phase, Run(), n_steps=5, time_share=1.0)
    first, second = (network.state_dict() for network in networks.folds)
    for name, value in networks.pretext.state_dict().items():
        assert torch.equal(value, first[name])
    assert not torch.equal(first["repair.weight"], second["repair.weight"])


def test_the_folds_of_a_detector_are_those_that_it_calibrates_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each fold is scored by the network that has not seen it, from `fit` to the heads."""
    from augan.scoring.scorer import AnomalyScorer
    from augan.training import trainer

    X = np.random.default_rng(0).normal(size=(50, 3))
    seen_by: dict[int, Tensor] = {}
    scored_by: list[tuple[int, Tensor]] = []
    run, view = trainer.run_phase, AnomalyScorer.view

    def run_phase(phase: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(phase, PretextPhase):
            for member in members_of(phase):
                seen_by[id(member.network)] = member.rows[member.index]
        run(phase, *args, **kwargs)

    def spied_view(self: Any, raw: Tensor, pretext: Any = None, *others: Any) -> Any:
        if pretext is not None:
            scored_by.append((id(pretext), pretext.read(self.codec(raw)[1])))
        return view(self, raw, pretext, *others)

    monkeypatch.setattr(trainer, "run_phase", run_phase)
    monkeypatch.setattr(AnomalyScorer, "view", spied_view)
    steps: dict[str, Any] = dict.fromkeys(("max_steps", "encoder_steps", "pretext_steps"), 2)
    FAnoGAN(n_folds=5, width=8, random_state=0, **steps).fit(X)
    assert len(seen_by) == 6
    assert {network for network, _ in scored_by} < set(seen_by)
    shared = []
    for network, rows in scored_by:
        known = set(map(tuple, seen_by[network].tolist()))
        shared.append(len(known & set(map(tuple, rows.tolist()))) / len(rows))
    # heads, and what explains, are fitted to what the network has seen, and score what it has not
    assert sorted(shared) == [0.0] * 10 + [1.0] * 10


def states_of(networks: Networks) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, module in networks.modules().items()
        for key, value in module.state_dict().items()
    }


def test_the_phase_changes_only_pretext_networks() -> None:
    networks = table_networks()
    before = states_of(networks)
    trained(networks, dependent_rows(100), n_steps=20)
    after = states_of(networks)
    assert list(before) == list(after)
    for name, value in before.items():
        is_pretext = name.startswith(("pretext.", "folds."))
        assert torch.equal(value, after[name]) != is_pretext, name


def test_the_phase_leaves_frozen_networks() -> None:
    phase = trained(table_networks(), dependent_rows(100), n_steps=5)
    assert len(members_of(phase)) == 3
    for member in members_of(phase):
        network = member.network
        assert not any(module.training for module in network.modules())
        assert not any(p.requires_grad or p.grad is not None for p in network.parameters())


def test_networks_start_apart_and_the_kept_one_does_not_depend_on_the_others() -> None:
    weight = "layers.0.weight"
    one, two = build_pretext(VECTOR, (OWNER, ALL), width=8, n_networks=2)
    assert not torch.equal(one.state_dict()[weight], two.state_dict()[weight])
    (alone,) = build_pretext(VECTOR, (OWNER, ALL), width=8, n_networks=1)
    assert torch.equal(one.state_dict()[weight], alone.state_dict()[weight])
    (other,) = build_pretext(VECTOR, (OWNER, ALL), width=8, n_networks=1, seed=1)
    assert not torch.equal(one.state_dict()[weight], other.state_dict()[weight])


def test_the_phase_does_not_stop_early() -> None:
    phase = PretextPhase(
        table_networks(), dependent_rows(60), torch.arange(60) % 2, TrainingConfig(), 0
    )
    phase.measure = lambda: {"held_out_loss": 1.0}
    run = Run(patience=1)
    run_phase(phase, run, n_steps=6 * SNAPSHOT_EVERY, time_share=1.0)
    assert run.history[-1]["step"] == 6 * SNAPSHOT_EVERY
    assert not any("event" in row for row in run.history)


def test_the_phase_reports_what_it_does() -> None:
    phase = PretextPhase(
        table_networks(), dependent_rows(60), torch.arange(60) % 2, TrainingConfig(), 0
    )
    run = Run()
    run_phase(phase, run, n_steps=100, time_share=1.0)
    assert {row["phase"] for row in run.history} == {"pretext"}
    assert {"pretext_loss", "pretext_gradient_norm"} <= set(run.history[0])
    assert "held_out_loss" in run.history[-1]
    assert run.history[-1]["pretext_loss"] < run.history[0]["pretext_loss"]


@pytest.mark.parametrize("short_folds", [False, True])
def test_the_phase_goes_on_from_its_state(short_folds: bool) -> None:
    rows, folds = dependent_rows(60), torch.arange(60) % 2
    config = TrainingConfig(batch_size=16)
    one = PretextPhase(table_networks(), rows, folds, config, 0, short_folds=short_folds)
    for _ in range(5):
        one.step(1.0)
    state = copy.deepcopy(one.state_dict())
    two = PretextPhase(table_networks(), rows, folds, config, 1, short_folds=short_folds)
    two.load_state_dict(state)
    for phase in (one, two):
        for _ in range(5):
            phase.step(0.5)
    first, second = states_of(one.networks), states_of(two.networks)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
