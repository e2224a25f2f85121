import copy
import functools
import time
import zipfile

import numpy as np
import pytest
import torch

from augan import AnoGAN, FAnoGAN
from augan.codecs.spec import Span, VectorSpec
from augan.exceptions import CheckpointError, NotTrainableError, TrainingWarning
from augan.networks import build_networks
from augan.training.checkpoint import read_checkpoint
from augan.training.ema import ExponentialMovingAverage
from augan.training.loop import SNAPSHOT_EVERY, Run, run_phase, schedule_factor
from augan.training.monitor import coverage, sliced_wasserstein
from augan.training.phases import EncoderPhase, GANPhase
from augan.training.steps import TrainingConfig

SPEC = VectorSpec((Span("x", 0, 2, "identity"),))


def _data(n=300, seed=0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)) * 0.5 + 1.0


def _gan(seed=0, **config):
    networks = build_networks(SPEC, latent_dim=4, width=16, seed=seed)
    settings = TrainingConfig(**{"batch_size": 32, "n_critic": 2, **config})
    return GANPhase(networks, _data(), _data(100, 1), settings, seed)


def _weights(phase):
    return torch.cat([p.detach().flatten() for p in phase.networks.generator.parameters()])


def test_ema_is_the_average_it_says():
    network = torch.nn.Linear(1, 1, bias=False)
    average = ExponentialMovingAverage(network, decay=0.5)
    expected = network.weight.item()
    for step, weight in enumerate([4.0, 8.0, 16.0]):
        network.weight.data.fill_(weight)
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    assert average.module.weight.item() == pytest.approx(expected)
    assert not average.module.training


def test_ema_copies_batch_norm_statistics():
    network = torch.nn.BatchNorm1d(2)
    average = ExponentialMovingAverage(network, decay=0.9)
    network(torch.randn(8, 2) + 5)
    average.update(network, 0)
    assert torch.equal(average.module.running_mean, network.running_mean)


@pytest.mark.parametrize(
    "gan",
    ["wgan-gp", *(pytest.param(n, marks=pytest.mark.slow) for n in ("dcgan", "gan", "hinge"))],
)
def test_every_loss_brings_the_generator_to_the_data(gan):
    phase = _gan(gan=gan, n_critic=3, lr_generator=1e-3, lr_critic=4e-3)
    before = phase.measure()
    run_phase(phase, Run(), n_steps=500, time_share=1.0)
    after = phase.measure()
    assert after["held_out_loss"] < 0.5 * before["held_out_loss"]
    assert after["coverage"] > max(0.5, before["coverage"])


def test_the_loop_leaves_frozen_networks_in_evaluation_mode():
    phase = _gan()
    run_phase(phase, Run(), n_steps=5, time_share=1.0)
    for module in (phase.networks.generator, phase.networks.critic):
        assert not module.training
        assert not any(p.requires_grad for p in module.parameters())


def test_schedules():
    assert [schedule_factor("constant", d) for d in (0, 0.5, 1)] == [1, 1, 1]
    assert [schedule_factor("linear", d) for d in (0, 0.5, 1)] == [1, 0.5, 0]
    cosine = [schedule_factor("cosine", d) for d in (0, 0.5, 1)]
    assert cosine == pytest.approx([1, 0.5, 0])


def test_gradient_clipping_bounds_the_step():
    """Plain clipping shows with SGD; Adam's steps do not change with the gradient's size."""
    norms = []
    for clip in (None, 1e-3):
        phase = _gan(gradient_clip=clip)
        phase.generator_optimizer = torch.optim.SGD(phase.networks.generator.parameters(), lr=1.0)
        before = _weights(phase).clone()
        phase.step(1000.0)
        norms.append(float((_weights(phase) - before).norm()))
    assert norms[1] < norms[0]
    assert norms[1] <= 1.01 * 1e-3 * 1000 * TrainingConfig().lr_generator


def test_callbacks_get_what_the_history_keeps():
    rows = []
    run = Run(callbacks=[rows.append])
    run_phase(_gan(), run, n_steps=60, time_share=1.0)
    assert rows == list(run.history)
    assert [row["step"] for row in rows] == [10, 20, 30, 40, 50, 60]
    expected = {"critic_loss", "generator_loss", "critic_accuracy_real", "critic_gradient_norm"}
    assert expected <= set(rows[0])
    assert {"coverage", "held_out_loss"} <= set(rows[-1])


class _Failing(GANPhase):
    """Turns its weights into NaN at given calls of `step`."""

    calls = 0
    fail_at: tuple[int, ...] = ()

    def step(self, factor, done=0.0):
        figures = super().step(factor)
        self.calls += 1
        if self.calls in self.fail_at:
            torch.nn.init.constant_(self.networks.generator.layers[0].weight, float("nan"))
            figures["generator_loss"] = torch.tensor(float("nan"))
        return figures


def _failing(*fail_at):
    phase = _gan()
    phase.__class__ = _Failing
    phase.fail_at = fail_at
    return phase


def test_divergence_goes_back_to_the_last_good_state_at_half_the_rate_and_says_so():
    phase, run = _failing(SNAPSHOT_EVERY + 20), Run()
    with pytest.warns(TrainingWarning, match="diverged at step 70: went back to step 50 at 0.5"):
        run_phase(phase, run, n_steps=100, time_share=1.0)
    events = [row for row in run.history if "event" in row]
    assert len(events) == 1
    assert events[0]["learning_rate_factor"] <= 0.5
    assert torch.isfinite(_weights(phase)).all()
    assert run.history[-1]["step"] == 100


def test_divergence_without_end_is_an_error():
    with (
        pytest.warns(TrainingWarning, match="diverged"),
        pytest.raises(NotTrainableError, match="gradient_clip"),
    ):
        run_phase(_failing(*range(1, 100)), Run(), n_steps=100, time_share=1.0)


def test_a_real_divergence_is_caught():
    X = np.random.default_rng(0).normal(size=(100, 2))
    wild = FAnoGAN(lr_generator=1e3, lr_critic=1e3, max_steps=60, width=8, random_state=0)
    with (
        pytest.warns(TrainingWarning, match="went back"),
        pytest.raises(NotTrainableError, match="lower learning rates"),
    ):
        wild.fit(X)


def test_training_stops_early_when_held_out_rows_get_no_better():
    run = Run(patience=2)
    phase = _gan()
    phase.measure = lambda: {"held_out_loss": 1.0}
    run_phase(phase, run, n_steps=1000, time_share=1.0)
    assert run.history[-1]["step"] == 3 * SNAPSHOT_EVERY
    assert "stopped early" in run.history[-1]["event"]


def test_max_time_ends_training():
    started = time.process_time()
    X = np.random.default_rng(0).normal(size=(100, 2))
    endless = dict.fromkeys(("max_steps", "encoder_steps", "pretext_steps"), 10**6)
    detector = FAnoGAN(max_time=1.0, random_state=0, **endless).fit(X)
    assert time.process_time() - started < 5
    assert {row["phase"] for row in detector.history_} == {"gan", "encoder", "pretext"}
    assert detector.history_[-1]["seconds"] > 0.8
    last = [row for row in detector.history_ if row["phase"] == "gan"][-1]
    assert last["done"] == 1 and last["step"] < last["total_steps"]
    assert last["health"] != "starting"


@pytest.mark.parametrize(
    ("cls", "heads"), [(FAnoGAN, "auto"), (AnoGAN, ("latent", "data_neighbors"))]
)
def test_max_time_is_shared_by_the_phases_that_there_are(cls, heads):
    X = np.random.default_rng(0).normal(size=(100, 2))
    names = ("max_steps", "encoder_steps", "pretext_steps")
    endless = {name: 10**6 for name in names if name in cls().get_params()}
    detector = cls(heads=heads, max_time=0.8, n_iter_no_change=None, random_state=0, **endless)
    ends = {row["phase"]: row["seconds"] for row in detector.fit(X).history_}
    phases = ["gan"] + ["encoder"] * (cls is FAnoGAN) + ["pretext"] * (heads == "auto")
    assert list(ends) == phases
    taken = np.diff([0.0, *ends.values()])
    assert taken.min() > 0.02  # none is left without time


class _Stop(Exception):
    """Stands for whatever ends a process."""


STOPS = [
    *(("gan", 60, True), ("pretext", 50, False)),
    *(
        pytest.param(phase, step, spectral_norm, marks=pytest.mark.slow)
        for phase, step, spectral_norm in [
            *(("gan", 60, False), ("gan", 100, True), ("gan", 100, False)),
            *(("encoder", 50, True), ("encoder", 50, False)),
            *(("encoder", 70, True), ("encoder", 70, False)),
            *(("pretext", 50, True), ("pretext", 70, True), ("pretext", 70, False)),
        ]
    ),
]


@pytest.fixture(scope="module")
def whole_run():
    """Return what trains without a stop, once for each value of spectral_norm."""
    return functools.cache(lambda spectral_norm: FAnoGAN(**_resumable(spectral_norm)).fit(_rows()))


def _rows():
    return np.random.default_rng(0).normal(size=(120, 3))


def _resumable(spectral_norm):
    return {
        "max_steps": 105,
        "encoder_steps": 75,
        "pretext_steps": 75,
        "n_folds": 2,
        "n_critic": 2,
        "width": 16,
        "random_state": 3,
        "spectral_norm": spectral_norm,
    }


@pytest.mark.parametrize(("phase", "step", "spectral_norm"), STOPS)
def test_a_resumed_run_ends_in_the_same_model(tmp_path, whole_run, phase, step, spectral_norm):
    X = _rows()

    def stop(row):
        if (row["phase"], row["step"]) == (phase, step):
            raise _Stop

    given, whole = _resumable(spectral_norm), whole_run(spectral_norm)
    kept = {"checkpoint": str(tmp_path / "c"), "checkpoint_interval": 0.0}
    with pytest.raises(_Stop):
        FAnoGAN(**given, **kept, callbacks=[stop]).fit(X)
    resumed = FAnoGAN(**given, **kept, resume=True).fit(X)
    for name, value in whole.scorer_.state_dict().items():
        assert torch.equal(value, resumed.scorer_.state_dict()[name]), name
    assert np.array_equal(whole.score_samples(X), resumed.score_samples(X))
    steps = [(row["phase"], row["step"]) for row in whole.history_]
    assert steps == [(row["phase"], row["step"]) for row in resumed.history_]


def test_resuming_a_run_that_has_ended_gives_its_model_at_once(tmp_path):
    X = np.random.default_rng(0).normal(size=(120, 3))
    steps = dict.fromkeys(("max_steps", "encoder_steps", "pretext_steps"), 60)
    given = {**steps, "width": 16, "checkpoint": str(tmp_path / "c")}
    rows = []
    whole = FAnoGAN(**given).fit(X)
    resumed = FAnoGAN(**given, resume=True, callbacks=[rows.append]).fit(X)
    assert not rows
    assert np.array_equal(whole.score_samples(X), resumed.score_samples(X))


@pytest.mark.parametrize(
    ("change", "name"),
    [({"width": 17}, "width"), ({"random_state": 1}, "seed"), ({"n_folds": 3}, "n_folds")],
)
def test_a_checkpoint_of_another_run_is_refused_by_name(tmp_path, change, name):
    X = np.random.default_rng(0).normal(size=(60, 3))
    given = {
        "max_steps": 50,
        "encoder_steps": 50,
        "pretext_steps": 50,
        "width": 16,
        "random_state": 0,
        "checkpoint": str(tmp_path / "c"),
    }
    FAnoGAN(**given).fit(X)
    with pytest.raises(CheckpointError, match=name):
        FAnoGAN(**{**given, **change}, resume=True).fit(X)
    with pytest.raises(CheckpointError, match="data"):
        FAnoGAN(**given, resume=True).fit(X + 1)


def test_a_checkpoint_with_other_contents_is_refused_in_one_line(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    steps = dict.fromkeys(("max_steps", "encoder_steps", "pretext_steps"), 2)
    path = tmp_path / "c"
    given = {**steps, "width": 8, "random_state": 0, "checkpoint": str(path)}
    FAnoGAN(**given).fit(X)
    content = torch.load(path, weights_only=True)
    state, progress = content["state"], content["progress"]
    for change in (
        {"phase": 3},
        {"history": {}},
        {"identity": {}},
        {"state": {}},
        {"state": {**state, next(iter(state)): torch.zeros(3)}},
        {"progress": {**progress, "step": "two"}},
        {"progress": {**progress, "more": 1}},
        {"seconds_before": "long"},
    ):
        torch.save({**content, **change}, path)
        with pytest.raises(CheckpointError) as error:
            FAnoGAN(**given, resume=True).fit(X)
        assert str(error.value).startswith(f"{path}: "), change
        assert len(str(error.value).splitlines()) == 1


def test_a_compressed_checkpoint_is_refused_unread(tmp_path):
    path = tmp_path / "c"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    with pytest.raises(CheckpointError, match="compressed"):
        read_checkpoint(path)


def test_encoder_phase_changes_only_the_encoder():
    gan = _gan()
    run_phase(gan, Run(), n_steps=50, time_share=1.0)
    networks = gan.networks
    before = copy.deepcopy([networks.generator.state_dict(), networks.critic.state_dict()])
    encoder = EncoderPhase(networks, _data(), _data(100, 1), gan.config, 0)
    start = encoder.measure()["held_out_loss"]
    run_phase(encoder, Run(), n_steps=100, time_share=1.0)
    after = [networks.generator.state_dict(), networks.critic.state_dict()]
    for old, new in zip(before, after, strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert encoder.measure()["held_out_loss"] < start


def test_coverage_of_the_same_rows_is_one_and_of_far_ones_zero():
    real = _data(200)
    assert coverage(real, real) == 1.0
    assert coverage(real, real + 100) == 0.0
    half = real[real[:, 0] > real[:, 0].median()]
    assert 0.3 < coverage(real, half) < 0.8


def test_sliced_wasserstein_of_a_shift_is_known():
    """Every projection of a shift by v moves by |<v, u>|; in 2-D the mean is 2/pi |v|."""
    real = _data(200)
    assert sliced_wasserstein(real, real, torch.Generator().manual_seed(0)) == 0.0
    moved = sliced_wasserstein(real, real + torch.tensor([3.0, 4.0]), torch.Generator())
    assert moved == pytest.approx(5 * 2 / np.pi, rel=0.15)


def test_fewer_rows_than_a_batch_train_and_are_mentioned():
    X = np.random.default_rng(0).normal(size=(20, 2))
    quick = {"max_steps": 5, "encoder_steps": 5, "pretext_steps": 5, "random_state": 0}
    with pytest.warns(UserWarning, match="batch_size=64 is more than the 16 training rows"):
        few = FAnoGAN(batch_size=64, **quick).fit(X)
    assert np.isfinite(few.anomaly_score(X)).all()
    FAnoGAN(**quick).fit(X)  # "auto" follows the rows
