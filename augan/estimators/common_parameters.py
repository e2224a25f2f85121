"""Constructor parameters that detectors and samplers share."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from augan import checks
from augan.checks import SIZE, STEPS, WEIGHT, integer, one_of, or_value
from augan.parameters import parameter


@dataclass(eq=False, repr=False)
class CommonParameters:
    """Parameters of all estimators."""

    gan: str = parameter(
        "wgan-gp",
        one_of("wgan-gp", "dcgan", "gan", "hinge"),
        '{"wgan-gp", "dcgan", "gan", "hinge"}',
        """Adversarial loss.
        Wasserstein with gradient penalty (Gulrajani 2017), non-saturating (Goodfellow 2014;
        "dcgan" and "gan" share that loss) or hinge.""",
    )
    _: KW_ONLY
    latent_dim: str | int = parameter(
        "auto",
        or_value("auto", integer(1, SIZE)),
        '"auto" or int',
        """Dimensions of the latent space.
        "auto" is one for every four columns of a table for a detector (2 to 32), one for every two
        for a sampler (4 to 64), and 64 for images.""",
    )
    width: str | int = parameter(
        "auto",
        or_value("auto", integer(1, SIZE)),
        '"auto" or int',
        """Units of a dense layer (256), or channels of the first convolution (32).""",
    )
    architecture: str = parameter(
        "auto",
        one_of("auto", "dense", "conv", "residual"),
        '{"auto", "dense", "conv", "residual"}',
        """Networks of the GAN for images.
        Dense layers (Goodfellow 2014; of 16 `width` units), convolutions (DCGAN, Radford 2016) or
        residual blocks (Miyato 2018; half as many channels). "auto" is dense for "gan", residual
        for "hinge", else convolutions. Networks for tables are dense.""",
    )
    spectral_norm: str | bool = parameter(
        "auto",
        or_value("auto", checks.FLAG),
        '"auto" or bool',
        """Whether the critic's layers have spectral normalisation (Miyato 2018).
        "auto" is True for images with another loss than "wgan-gp".""",
    )
    max_steps: str | int = parameter(
        "auto",
        or_value("auto", integer(1, STEPS)),
        '"auto" or int',
        """Largest number of steps of the generator.
        "auto" is 800 for images; for tables 1000 in a detector, 2000 with ``scoring="paper"``, and
        1500 in a sampler.""",
    )
    max_time: float | None = parameter(
        None,
        or_value(None, checks.real(0, np.inf, above=True)),
        "float or None",
        """Time limit of training in seconds.""",
    )
    batch_size: str | int = parameter(
        "auto",
        or_value("auto", integer(2, 2**20)),
        '"auto" or int',
        """Rows per batch: 128 for tables, 64 for images; at most the number of training rows.""",
    )
    n_critic: str | int = parameter(
        "auto",
        or_value("auto", integer(1, 1000)),
        '"auto" or int',
        """Steps of the critic for each step of the generator: 2 for tables, 1 for images.""",
    )
    gradient_penalty: float = parameter(
        10.0, checks.real(0, WEIGHT), "float", """Weight of the gradient penalty of "wgan-gp"."""
    )
    r1: float = parameter(
        0.0, checks.real(0, WEIGHT), "float", "Weight of the R1 penalty on real rows."
    )
    feature_matching: float = parameter(
        0.0,
        checks.real(0, WEIGHT),
        "float",
        "Weight of feature matching in the generator's loss.",
    )
    lr_generator: str | float = parameter(
        "auto",
        or_value("auto", checks.real(0, 1000, above=True)),
        '"auto" or float',
        """Adam's learning rate for the generator.
        "auto" is 2e-4 for tables and for dense networks of images, 1e-3 for other images.""",
    )
    lr_critic: str | float = parameter(
        "auto",
        or_value("auto", checks.real(0, 1000, above=True)),
        '"auto" or float',
        """Adam's learning rate for the critic.
        "auto" is 1e-3 for tables, 2e-3 for images, 4e-4 for dense networks of images.""",
    )
    betas: str | tuple[float, float] = parameter(
        "auto",
        or_value("auto", checks.BETAS),
        '"auto" or tuple of float',
        """Adam's decay rates for generator and critic.
        "auto" is (0.5, 0.9) for tables, (0, 0.9) for images.""",
    )
    schedule: str = parameter(
        "cosine",
        one_of("constant", "linear", "cosine"),
        '{"cosine", "linear", "constant"}',
        "How the learning rates decrease.",
    )
    gradient_clip: float | None = parameter(
        None,
        or_value(None, checks.real(0, above=True)),
        "float or None",
        "Largest norm of a network's gradient.",
    )
    ema_decay: float = parameter(
        0.99,
        checks.share(above=False),
        "float",
        """Decay of the exponential moving average of the generator's weights.
        The averaged generator is the one that is used.""",
    )
    max_categories: int = parameter(
        50,
        integer(1, 10**6),
        "int",
        "Largest number of categories of a column that are encoded one-hot.",
    )
    callbacks: Any = parameter(
        None,
        checks.CALLBACKS,
        "list of callable or None",
        "Functions that are called with each row (dict) of the training history.",
    )
    device: str = parameter(
        "auto", checks.ANYTHING, "str", """Torch device; "auto" is CUDA, MPS or the CPU."""
    )
    random_state: Any = parameter(
        None,
        checks.RANDOM_STATE,
        "int, RandomState or None",
        "Seed; the global random states are never used.",
    )
    verbose: int = parameter(
        0,
        checks.VERBOSE,
        "{0, 1, 2}",
        """What `fit` shows on stderr: nothing, progress bars, or a line for each measure.
        The logger ``augan`` gets the same: phases and events at INFO, every report at DEBUG.""",
    )


@dataclass(eq=False, repr=False, kw_only=True)
class EncoderParameters:
    """Parameters of estimators that train an encoder."""

    encoder_steps: str | int = parameter(
        "auto",
        or_value("auto", integer(1, STEPS)),
        '"auto" or int',
        """Largest number of steps of the encoder.
        "auto" is 1000 for tables in a detector, 800 in a sampler, and 400 for images.""",
    )
    lr_encoder: float = parameter(
        1e-3, checks.real(0, 1000, above=True), "float", "Adam's learning rate for the encoder."
    )
