"""Constructor parameters of the detectors."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from augan import checks
from augan.checks import ROWS, SIZE, STEPS, WEIGHT, integer, one_of, or_value, real
from augan.estimators.common_parameters import CommonParameters
from augan.networks.backbone import BACKBONES
from augan.parameters import parameter
from augan.scoring.former_heads import current_heads
from augan.scoring.heads import HEADS

KNOWN_HEADS = checks.distinct(list(HEADS), auto=True)


def _are_heads(value: Any) -> bool:
    if isinstance(value, (tuple, list)) and all(isinstance(name, str) for name in value):
        value = current_heads(value)
    return KNOWN_HEADS.holds(value)


@dataclass(eq=False, repr=False)
class DetectorParameters(CommonParameters):
    """Parameters of `FAnoGAN` and `AnoGAN`."""

    scoring: str = parameter(
        "calibrated",
        one_of("calibrated", "paper"),
        '{"calibrated", "paper"}',
        """Which score is used.
        "calibrated" brings `heads` to one scale with cross-fitted scores of normal rows and
        combines them. "paper" is the score A(x) of the method's paper.""",
    )
    _: KW_ONLY
    heads: str | tuple[str, ...] = parameter(
        "auto",
        checks.Check(_are_heads, KNOWN_HEADS.text),
        '"auto" or tuple of str',
        """Parts of the calibrated score.
        From the rows of a table: "data_neighbors" (distance to the nearest training rows, in units
        of each column's range), "quantile_neighbors" and "quantile_mahalanobis" (the same, and the
        Mahalanobis distance, of numbers mapped to normal quantiles). From the pretext network,
        which is trained on tables to find replaced columns and to restore them (as VIME, Yoon
        2020), and on images to recognise rotations and shifts (Golan 2018): "pretext_mahalanobis",
        "pretext_neighbors", "pretext_deviation", "repair" and "repair_neighbors" (tables only),
        "transforms" (images only). From images themselves: "data_neighbors", "local_neighbors" and
        "image_neighbors". From the GAN: "data_residual", "feature_residual", "latent",
        "latent_cycle" (distance between a row's latent and that of its reconstruction),
        "critic_mahalanobis", "critic_neighbors". From a network that gives the distribution of each
        column given the others (Hoogeboom 2022), "surprise" (tables only): the sum of
        -log p(value | other columns) over the columns, in nats, a pseudo-likelihood (Besag 1975).
        Numbers are in bins, so how far one lies outside the training range does not matter;
        `explain` and `surprise` show each column's. From a network that restores synthetic
        defects: "detail_restoration" (images only). From a `backbone`: "backbone_memory",
        "backbone_gaussian" and "backbone_residual".
        "auto" is, for tables, pretext_mahalanobis, pretext_neighbors, repair_neighbors,
        data_neighbors, quantile_mahalanobis and quantile_neighbors, and pretext_deviation where a
        column has categories; without quantile_neighbors where `contamination` is given; with more
        than 256 columns, or more columns than rows, quantile_mahalanobis and data_neighbors. For
        images it is transforms, pretext_neighbors and data_neighbors, and with a `backbone`
        backbone_memory and backbone_gaussian; for images larger than 64 pixels backbone_memory,
        backbone_gaussian and image_neighbors, and detail_restoration if `restoration_steps` are
        given; without a backbone local_neighbors, image_neighbors and detail_restoration.""",
    )
    generator: str | bool = parameter(
        "auto",
        or_value("auto", checks.FLAG),
        '"auto" or bool',
        """Whether GAN and encoder are trained.
        The methods `sample`, `generate`, `reconstruct`, `encode`, `interpolate`, `direction`,
        `edit` and `inpaint` need them; the default heads do not. "auto" trains them if `heads` or
        `scoring` needs them, or if one of their own parameters (`gan`, `latent_dim`, `max_steps`,
        ...) has another value than its default.""",
    )
    fusion: str = parameter(
        "auto",
        one_of("auto", "mean", "top2", "max"),
        '{"auto", "mean", "top2", "max"}',
        """How the heads are combined: the mean of all, of the two highest, or the highest.
        Each head is -log p, where p is the share of held-out normal rows with a higher score, so
        that the mean is Fisher's combination. Heads that compare rows or pixels themselves
        have a weight of a half (data_neighbors of one, where the `contamination` of a table is
        given), those that depend on the inversion (residuals, latent) of a third. Heads of patches
        ("backbone_...") count as one, the highest. "auto" is "top2" without a backbone for images
        larger than 64 pixels, else "mean".""",
    )
    n_neighbors: str | int = parameter(
        "auto",
        or_value("auto", integer(1, ROWS)),
        '"auto" or int',
        """Number of neighbours whose mean distance the neighbour heads take.
        "auto" is 1; 5 for images of up to 64 pixels, for tables with more than 256 columns or more
        columns than rows, and where `contamination` is given.""",
    )
    memory_size: str | int = parameter(
        "auto",
        or_value("auto", integer(1, ROWS)),
        '"auto" or int',
        """Largest number of rows, or patches, in the memory of each neighbour head.
        With more training rows, the memory is a random sample. "auto" is 2048 for tables, 4096 for
        images. That of quantile_neighbors has a quarter of it, as more rows hardly help there.""",
    )
    contamination: str | float = parameter(
        "auto",
        or_value("auto", real(0, 0.5, above=True)),
        '"auto" or float',
        """Share of anomalies in the training rows, in (0, 0.5].
        This share of the training rows lies beyond the threshold. Networks and heads are not fitted
        to small clusters of rows that lie apart. Heads are not fitted to this share of the rows
        either, those with the highest cross-fitted scores and local outlier factors. "auto" takes
        all training rows as normal, and sets the threshold by `target_fpr`; only one of the two can
        be given.""",
    )
    target_fpr: float = parameter(
        0.05,
        checks.share(above=True),
        "float",
        """Share of new normal rows beyond the threshold.
        The threshold is set on cross-fitted scores; with n calibration rows no share below
        1/(n + 1) can be guaranteed. A value that is set after `fit` changes the threshold;
        `predict` takes one for a single call.""",
    )
    pixel_fpr: float = parameter(
        0.001,
        checks.share(above=True),
        "float",
        "Share of the pixels of normal images above `pixel_threshold_`; may be set after `fit`.",
    )
    normal_label: Any = parameter(
        None,
        checks.ANYTHING,
        "object",
        "If given, `fit(X, y)` trains on the rows with this label only.",
    )
    pretext_steps: str | int = parameter(
        "auto",
        or_value("auto", integer(1, STEPS)),
        '"auto" or int',
        """Steps of the pretext networks.
        "auto" is 1500 for tables, 96 passes over the rows of those with 1000 to 2000 rows, and 800
        for images.""",
    )
    restoration_steps: str | int = parameter(
        "auto",
        or_value("auto", integer(1, STEPS)),
        '"auto" or int',
        "Steps of the network that restores details of images: 2000.",
    )
    column_steps: str | int = parameter(
        "auto",
        or_value("auto", integer(1, STEPS)),
        '"auto" or int',
        """Steps of the column network, which only the head "surprise" uses.
        "auto" is 400 passes over the rows in batches of 256, and 2000 steps at most. With
        `warm_start_from` it is trained anew.""",
    )
    n_folds: str | int = parameter(
        "auto",
        or_value("auto", integer(1, 1000)),
        '"auto" or int',
        """Number of folds for calibration.
        Each fold is scored by heads and a pretext network that were fitted without it. The final
        ones are fitted to all rows or, with fewer than five rows per column, without the first
        fold. With 1, the held-out rows (`validation_fraction`) are the only fold. "auto" is 1;
        4 with fewer than 1000 rows or images, or where `contamination` is given (the networks of
        tables without a fold then take half the steps); 10 for images larger than 64 pixels.""",
    )
    validation_fraction: float = parameter(
        0.2,
        checks.share(above=True),
        "float",
        """Share of the rows that are held out: from the GAN for early stopping, and to calibrate.
        Only these rows are used for calibration with one fold (`n_folds`), if `heads` has one of
        the GAN, "surprise" or "detail_restoration", or with ``scoring="paper"``.""",
    )
    n_iter_no_change: int | None = parameter(
        8,
        or_value(None, integer(1, STEPS)),
        "int or None",
        """Number of measures without improvement after which a phase ends.
        Held-out rows are measured every 50 steps; None turns early stopping off.""",
    )
    image_size: str | int | None = parameter(
        "auto",
        or_value("auto", or_value(None, integer(8, SIZE))),
        '"auto", int or None',
        """Longer side, in pixels, of the images that the GAN sees.
        None keeps images of up to 64 pixels. "auto" is 32 for larger ones, else None.""",
    )
    detail_size: str | int | None = parameter(
        "auto",
        or_value("auto", or_value(None, integer(32, SIZE))),
        '"auto", int or None',
        """Longest side, in pixels, of the images that a backbone and "detail_restoration" see.
        None keeps their size. "auto" is 128; with a backbone it is the size at which images
        larger than 64 pixels have at most 320 x 320 pixels.""",
    )
    standardize_images: str | bool = parameter(
        "auto",
        or_value("auto", checks.FLAG),
        '"auto" or bool',
        """Whether each image is standardised by its own mean and deviation.
        "auto" is True for images larger than 64 pixels.""",
    )
    diff_augment: bool = parameter(
        False,
        checks.FLAG,
        "bool",
        """Whether the critic sees shifted images of other brightness and contrast.
        So it does not memorise a few hundred images (DiffAugment, Zhao 2020). Takes more steps
        than the default.""",
    )
    backbone: str | None = parameter(
        "auto",
        or_value("auto", or_value(None, one_of(*BACKBONES))),
        '"auto", str or None',
        """A network that was trained on other images (ImageNet), whose features are compared.
        "efficientnet_lite0" and the larger "efficientnet_lite2" (Tan and Le 2019; Liu 2020), whose
        weights are installed as packages, or a torchvision ResNet ("resnet18",
        "wide_resnet50_2" ...), whose weights are downloaded. Its features are read by the heads
        "backbone_memory" (distances to patches of training images; PatchCore, Roth 2022),
        "backbone_gaussian" (Mahalanobis distances; PaDiM, Defard 2021) and "backbone_fine"
        (these in finer features): of parts that lie alike at each place, otherwise anywhere.
        "backbone_residual" is the change of the features when the restoration network restores a
        patch. "auto" is "efficientnet_lite0" for images larger than 64 pixels, else None. The model
        file contains the layers that are used.""",
    )
    backbone_weights: Any = parameter(
        None,
        checks.PATH,
        "path or None",
        """File with the weights of the backbone (a ``state_dict``, or .safetensors).
        None is the weights of the installed package, or torchvision's, which are downloaded
        once.""",
    )
    warm_start_from: Any = parameter(
        None,
        checks.PATH,
        "path or None",
        """Model file of a detector that was trained on the same columns, or the same image shape.
        Its encoding is kept, and its networks are trained further. The generator's prior is first
        adapted to the encoder's latents of the new rows, if generated rows become clearly more
        similar to them. The number of steps does not change; fewer are usually enough.""",
    )
    freeze_critic: int = parameter(
        0,
        integer(0, 1000),
        "int",
        """Number of the critic's lowest layers that keep the weights of `warm_start_from`.
        (FreezeD, Mo 2020.)""",
    )
    checkpoint: Any = parameter(
        None,
        checks.PATH,
        "path or None",
        "File for checkpoints of the training; `fit` does not delete it.",
    )
    checkpoint_interval: float = parameter(
        30.0, real(0, np.inf), "float", "Seconds between two checkpoints."
    )
    resume: bool = parameter(
        False,
        checks.FLAG,
        "bool",
        "Whether to continue from `checkpoint`; the model is the same as without interruption.",
    )


@dataclass(eq=False, repr=False, kw_only=True)
class SearchParameters:
    """Parameters of the inversion by gradient search."""

    feature_weight: float = parameter(
        0.1,
        real(0, 1),
        "float",
        """Weight of the feature residual against the data residual, lambda in the paper.
        Used by the search and by the paper's score.""",
    )
    search_steps: int = parameter(100, integer(1, 10**6), "int", "Steps of the search.")
    search_lr: float = parameter(
        0.05, real(0, 1000, above=True), "float", "Learning rate of the search."
    )


@dataclass(eq=False, repr=False, kw_only=True)
class ResidualParameters:
    """Parameters of f-AnoGAN's losses."""

    kappa: float = parameter(
        1.0,
        real(0, WEIGHT),
        "float",
        "Weight of the feature residual in the encoder's loss and in the paper's score.",
    )
