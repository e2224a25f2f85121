"""Each loss trains on images, with the networks that it is usually played with, or others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from augan import FAnoGAN, GANSampler, load
from augan.models.config import detector_config
from augan.networks.conv import ConvCritic, ConvGenerator
from augan.networks.dense_images import DenseImageCritic, DenseImageGenerator
from augan.networks.residual import ResidualCritic, ResidualGenerator

DIGITS = np.clip(16 * load_digits().images, 0, 255).astype(np.uint8)
LABELS = load_digits().target
USUAL = {
    "gan": (DenseImageGenerator, DenseImageCritic),
    "dcgan": (ConvGenerator, ConvCritic),
    "wgan-gp": (ConvGenerator, ConvCritic),
    "hinge": (ResidualGenerator, ResidualCritic),
}
QUICK = {"width": 16, "latent_dim": 8, "random_state": 0}
PRETEXT = {"pretext_steps": 1, "n_folds": 2, "heads": ("data_neighbors",)}


def _detector(**params):
    return FAnoGAN(**{**QUICK, **PRETEXT, "encoder_steps": 1, **params})


@pytest.mark.parametrize("gan", USUAL)
def test_each_loss_has_its_usual_networks(gan):
    model = _detector(gan=gan, max_steps=2).fit(DIGITS[:100])
    generator, critic = USUAL[gan]
    assert type(model.networks_.generator) is generator
    assert type(model.networks_.critic) is critic
    normalised = [m for m in critic_layers(model) if hasattr(m, "parametrizations")]
    assert bool(normalised) == (gan != "wgan-gp")
    made = model.sample(10, 0)
    assert made.shape == (10, 8, 8) and made.dtype == np.uint8


@pytest.mark.slow  # by default with points in a plane: see test_training
@pytest.mark.parametrize("gan", USUAL)
def test_each_loss_learns_digits_in_one_call(gan):
    model = _detector(gan=gan, max_steps=400, n_iter_no_change=None).fit(DIGITS)
    _, coverage = model.history_.column("coverage", "gan")
    assert coverage[-1] > 0.15, coverage
    made = model.sample(100, 0)
    assert made.std(axis=0).mean() > 0.4 * DIGITS.std(axis=0).mean()


def critic_layers(model):
    return model.networks_.critic.layers_with_weights()


@pytest.mark.slow
@pytest.mark.parametrize("gan", USUAL)
def test_each_loss_learns_digits_of_a_class(gan):
    steps = 1500 if gan == "gan" else 500  # dense networks learn at lower rates
    sampler = GANSampler(method="gan", gan=gan, max_steps=steps, encoder_steps=1, **QUICK)
    made, labels = sampler.fit(DIGITS, LABELS).sample(dict.fromkeys(range(10), 30))
    told = LogisticRegression(max_iter=200).fit(DIGITS.reshape(-1, 64) / 255, LABELS)
    agreement = (told.predict(made.reshape(-1, 64) / 255) == labels).mean()
    assert agreement > 0.5, agreement  # by chance: 0.1


@pytest.mark.parametrize("architecture", ["dense", "residual"])
def test_another_architecture_is_taken_and_kept(architecture, tmp_path):
    model = _detector(architecture=architecture, max_steps=3).fit(DIGITS[:100])
    model.save(tmp_path / "m.augan")
    again = load(tmp_path / "m.augan")
    assert type(again.networks_.generator) is type(model.networks_.generator)
    assert np.array_equal(again.anomaly_score(DIGITS[:9]), model.anomaly_score(DIGITS[:9]))
    assert np.array_equal(again.sample(4, 0), model.sample(4, 0))


@pytest.mark.slow
@pytest.mark.parametrize("gan", ["hinge", pytest.param("gan", marks=pytest.mark.slow)])
def test_other_networks_score_and_are_exported(gan, tmp_path):
    heads = ("data_residual", "feature_residual")
    model = _detector(gan=gan, max_steps=5, heads=heads).fit(DIGITS[:150])
    report = model.export_onnx(tmp_path / "m.onnx", X=DIGITS[150:300])
    assert "0 decided differently" in str(report)
    model.export_onnx(tmp_path / "g.onnx", part="generator")


@pytest.mark.slow  # by default of dense networks: test_training
def test_a_resumed_run_of_residual_networks_ends_in_the_same_model(tmp_path):
    class Stop:
        def __call__(self, row):
            if row["step"] >= 20:
                raise KeyboardInterrupt

    given = {"gan": "hinge", "max_steps": 40, "checkpoint": str(tmp_path / "c")}
    whole = _detector(**{**given, "checkpoint": None}).fit(DIGITS[:100])
    with pytest.raises(KeyboardInterrupt):
        _detector(**given, callbacks=[Stop()], checkpoint_interval=0).fit(DIGITS[:100])
    again = _detector(**given, resume=True).fit(DIGITS[:100])
    for key, value in whole.networks_.generator.state_dict().items():
        assert torch.equal(value, again.networks_.generator.state_dict()[key]), key


@pytest.mark.parametrize(("gan", "rates"), [("gan", (2e-4, 4e-4)), ("hinge", (1e-3, 2e-3))])
def test_images_are_learned_without_momentum_and_by_dense_networks_slower(gan, rates):
    model = _detector(gan=gan, max_steps=2, schedule="constant").fit(DIGITS[:100])
    row = [row for row in model.history_ if row["phase"] == "gan"][-1]
    assert (row["generator_learning_rate"], row["critic_learning_rate"]) == rates
    assert model.model_.config.betas == (0.0, 0.9)
    other = {**model.get_params(), "betas": (0.5, 0.99)}
    assert detector_config(other, model.codec_).betas == (0.5, 0.99)
    table = _detector(gan=gan, max_steps=2).fit(DIGITS[:100].reshape(100, 64))
    assert table.model_.config.betas == (0.5, 0.9)
