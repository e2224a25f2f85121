"""AnoGAN: inversion by gradient search."""

from __future__ import annotations

from typing import Any

from augan.estimators._generating import GeneratingDetector


class AnoGAN(GeneratingDetector):
    """AnoGAN: a GAN trained on normal data, inverted by gradient search for every scored row.

    Slower to score than `FAnoGAN` and without an encoder to train; use it to compare with the
    original, or where an encoder fails.

    Parameters
    ----------
    gan : {"wgan-gp", "dcgan", "gan", "hinge"}, default="wgan-gp"
        Adversarial loss, as for `FAnoGAN`.
    score : {"calibrated", "paper"}, default="calibrated"
        "paper" is A(x) = (1 - w) R(x) + w D(x) of [1]_, eq. 6, and nothing else. "calibrated"
        puts `heads` on one scale by cross-fitted normals and fuses them.
    feature_weight : float, default=0.1
        w (lambda in [1]_): weight of the feature residual against the data residual, in the
        search and in the paper's score.
    search_steps : int, default=100
        Steps of the search.
    search_lr : float, default=0.05
        Learning rate of the search.
    heads, fusion, n_neighbors, memory_size, contamination, target_fpr, normal_label : object
        As for `FAnoGAN`.
    latent_dim, width, architecture, spectral_norm, max_steps, pretext_steps, repair_steps : object
        As for `FAnoGAN`.
    n_folds, max_time, batch_size, n_critic : object
        As for `FAnoGAN`.
    gradient_penalty, r1, feature_matching, lr_generator, lr_critic, betas : object
        As for `FAnoGAN`.
    schedule, gradient_clip, ema_decay, validation_fraction, n_iter_no_change : object
        As for `FAnoGAN`.
    max_categories, image_size, detail_size, standardize_images : object
        As for `FAnoGAN`.
    diff_augment, backbone, backbone_weights, warm_start_from, freeze_critic : object
        As for `FAnoGAN`.
    callbacks, checkpoint, checkpoint_interval, resume, device, random_state, verbose : object
        As for `FAnoGAN`.

    Attributes
    ----------
    offset_, threshold_, history_, codec_, networks_, scorer_ : object
        As for `FAnoGAN`.
    n_features_in_, feature_names_in_ : object
        As for `FAnoGAN`.

    References
    ----------
    .. [1] Schlegl, Seeböck, Waldstein, Schmidt-Erfurth and Langs. "Unsupervised anomaly
       detection with generative adversarial networks to guide marker discovery." IPMI, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import AnoGAN
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = AnoGAN(max_steps=50, pretext_steps=50, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.1], [8.0, -8.0]])
    array([ 1, -1])
    """

    _has_encoder = False

    def __init__(
        self,
        gan: str = "wgan-gp",
        score: str = "calibrated",
        *,
        feature_weight: float = 0.1,
        search_steps: int = 100,
        search_lr: float = 0.05,
        heads: str | tuple[str, ...] = "auto",
        fusion: str = "auto",
        n_neighbors: str | int = "auto",
        memory_size: str | int = "auto",
        contamination: str | float = "auto",
        target_fpr: float = 0.05,
        normal_label: Any = None,
        latent_dim: str | int = "auto",
        width: str | int = "auto",
        architecture: str = "auto",
        spectral_norm: str | bool = "auto",
        max_steps: str | int = "auto",
        pretext_steps: str | int = "auto",
        repair_steps: str | int = "auto",
        n_folds: str | int = "auto",
        max_time: float | None = None,
        batch_size: str | int = "auto",
        n_critic: str | int = "auto",
        gradient_penalty: float = 10.0,
        r1: float = 0.0,
        feature_matching: float = 0.0,
        lr_generator: str | float = "auto",
        lr_critic: str | float = "auto",
        betas: str | tuple[float, float] = "auto",
        schedule: str = "cosine",
        gradient_clip: float | None = None,
        ema_decay: float = 0.99,
        validation_fraction: float = 0.2,
        n_iter_no_change: int | None = 8,
        max_categories: int = 50,
        image_size: str | int | None = "auto",
        detail_size: str | int | None = "auto",
        standardize_images: str | bool = "auto",
        diff_augment: bool = False,
        backbone: str | None = None,
        backbone_weights: str | None = None,
        warm_start_from: str | None = None,
        freeze_critic: int = 0,
        callbacks: list[Any] | None = None,
        checkpoint: str | None = None,
        checkpoint_interval: float = 30.0,
        resume: bool = False,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.gan = gan
        self.score = score
        self.feature_weight = feature_weight
        self.search_steps = search_steps
        self.search_lr = search_lr
        self.heads = heads
        self.fusion = fusion
        self.n_neighbors = n_neighbors
        self.memory_size = memory_size
        self.contamination = contamination
        self.target_fpr = target_fpr
        self.normal_label = normal_label
        self.latent_dim = latent_dim
        self.width = width
        self.architecture = architecture
        self.spectral_norm = spectral_norm
        self.max_steps = max_steps
        self.pretext_steps = pretext_steps
        self.repair_steps = repair_steps
        self.n_folds = n_folds
        self.max_time = max_time
        self.batch_size = batch_size
        self.n_critic = n_critic
        self.gradient_penalty = gradient_penalty
        self.r1 = r1
        self.feature_matching = feature_matching
        self.lr_generator = lr_generator
        self.lr_critic = lr_critic
        self.betas = betas
        self.schedule = schedule
        self.gradient_clip = gradient_clip
        self.ema_decay = ema_decay
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_categories = max_categories
        self.image_size = image_size
        self.detail_size = detail_size
        self.standardize_images = standardize_images
        self.diff_augment = diff_augment
        self.backbone = backbone
        self.backbone_weights = backbone_weights
        self.warm_start_from = warm_start_from
        self.freeze_critic = freeze_critic
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.checkpoint_interval = checkpoint_interval
        self.resume = resume
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _calibration_rows(self) -> int:
        return 1_000  # a search a row
