"""f-AnoGAN: inversion by an encoder."""

from __future__ import annotations

from typing import Any

from augan.estimators._generating import GeneratingDetector


class FAnoGAN(GeneratingDetector):
    """f-AnoGAN: a GAN trained on normal data, and an encoder that inverts its generator.

    Parameters
    ----------
    gan : {"wgan-gp", "dcgan", "gan", "hinge"}, default="wgan-gp"
        Adversarial loss: Wasserstein with gradient penalty [2]_, non-saturating [3]_ ("dcgan"
        and "gan" share that loss; images get convolutional networks either way), or hinge.
    score : {"calibrated", "paper"}, default="calibrated"
        "paper" is A(x) = A_R(x) + kappa A_D(x) of [1]_, eq. 5, and nothing else. "calibrated"
        puts `heads` on one scale by cross-fitted normals and fuses them.
    kappa : float, default=1.0
        Weight of the feature residual, in the encoder's loss and in the paper's score.
    heads : "auto" or tuple of str, default="auto"
        What the calibrated score is made of. Of the GAN: "data_residual", "feature_residual",
        "latent", "latent_cycle" (how far the latent of a reconstruction lies from a row's own),
        "critic_mahalanobis", "critic_neighbors"; of the pretext network, which is trained beside
        the critic to tell which columns were swapped and what stood there, or how an image was
        turned and shifted [4]_: "pretext_mahalanobis", "pretext_neighbors", "pretext_deviation",
        "repair" and "repair_neighbors" (tables only), "transforms" (images only); of the
        restoration network, which removes made-up defects: "detail_restoration" (images only); of
        the rows alone: "data_neighbors", "local_neighbors" and "image_neighbors" (the latter two
        images only); of a `backbone`: "backbone_memory" and "backbone_residual". "auto" is
        pretext_mahalanobis, pretext_neighbors, repair_neighbors and data_neighbors for tables,
        pretext_deviation too where a column has categories; transforms, pretext_neighbors and
        data_neighbors for images; local_neighbors, image_neighbors and detail_restoration for
        images larger than 64 pixels; those of a backbone too where there is one.
        The GAN then serves `sample`, `reconstruct` and `explain` only.
    fusion : {"auto", "mean", "top2", "max"}, default="auto"
        Mean of all weighted heads, of the two highest, or the highest. Heads that depend on the
        inversion (residuals, latent) count a third. "auto" is "max" for tables with categories,
        "top2" for images larger than 64 pixels, else "mean".
    n_neighbors : "auto" or int, default="auto"
        Nearest remembered rows whose mean distance the neighbour heads take: 2, of images larger
        than 64 pixels 1; 5 where `contamination` says that there are anomalies among the
        training rows.
    memory_size : "auto" or int, default="auto"
        Rows that each neighbour head remembers at most: 1024. Of more training rows it keeps the
        centres of so many clusters (k-means), each of about four rows. Of images larger than 64
        pixels it keeps 4096 images, or patches, themselves.
    contamination : "auto" or float, default="auto"
        Share of the training rows to lie beyond the threshold, in (0, 0.5]. Networks and heads
        learn nothing from small clusters of rows; heads and calibration nothing from the share
        of the rows with the highest cross-fitted scores either.
        "auto" takes all rows for normal and leaves the threshold to `target_fpr`; the two
        exclude each other.
    target_fpr : float, default=0.05
        Share of new normal rows to lie beyond the threshold, set on cross-fitted scores. With n
        calibration rows no share below 1/(n + 1) can be promised. Another value given after `fit`
        moves the threshold; `predict` takes one for a single call.
    normal_label : object, default=None
        When set, `fit(X, y)` trains only on rows whose label equals it.
    latent_dim : "auto" or int, default="auto"
        Size of z: one for every four columns of a table (2 to 32), 64 for images.
    width : "auto" or int, default="auto"
        Units of a dense layer (256) or channels of the first convolution (32).
    architecture : {"auto", "dense", "conv", "residual"}, default="auto"
        Generator and critic of images: dense layers as in [3]_ (of 16 `width` units), DCGAN's
        convolutions [8]_ or residual blocks [9]_, of half as many channels, which take a little
        longer. "auto" is dense for "gan", residual for "hinge", else convolutions. Networks of
        tables are dense.
    spectral_norm : "auto" or bool, default="auto"
        Spectral normalisation of the critic's layers [9]_; "auto" for images with a loss other
        than "wgan-gp", whose penalty does the same.
    max_steps : "auto" or int, default="auto"
        Most steps of the generator: 1000 for tables (2000 for the paper's score), 800 for images.
    encoder_steps : "auto" or int, default="auto"
        Most steps of the encoder: 1000 (linear) for tables, 400 for images.
    pretext_steps : "auto" or int, default="auto"
        Steps of the pretext networks: 1500 for tables, fewer for those of more than 1000 columns
        or so, 800 for images.
    repair_steps : "auto" or int, default="auto"
        Steps of the network that restores details of images: 2000.
    n_folds : "auto" or int, default="auto"
        Parts that the rows are cut into for calibration: each part is scored by heads and a
        pretext network that were fitted without it; the ones that are kept are fitted to all
        rows or, where there are fewer than five rows a column, to all but one part.
        4 for tables, 3 for images, 10 for images larger than 64 pixels.
    max_time : float or None, default=None
        Seconds that training may take; what is reached by then is scored with.
    batch_size : "auto" or int, default="auto"
        Rows a step: 128 for tables, 64 for images; never more than there are.
    n_critic : "auto" or int, default="auto"
        Steps of the critic a step of the generator: 2 for tables, 1 for images.
    gradient_penalty : float, default=10.0
        Weight of the gradient penalty of "wgan-gp".
    r1 : float, default=0.0
        Weight of the R1 penalty on real rows.
    feature_matching : float, default=0.0
        Weight of feature matching in the generator's loss.
    lr_generator, lr_critic : "auto" or float, default="auto"
        Adam's learning rates; "auto" is 2e-4 and 1e-3 for tables, 1e-3 and 2e-3 for images,
        2e-4 and 4e-4 for dense networks of images.
    lr_encoder : float, default=1e-3
        Adam's learning rate for the encoder.
    betas : "auto" or tuple of float, default="auto"
        Adam's decay rates, of generator and critic; "auto" is (0.5, 0.9) for tables, (0, 0.9) for
        images.
    schedule : {"cosine", "linear", "constant"}, default="cosine"
        How the learning rates fall.
    gradient_clip : float or None, default=None
        Largest norm of a gradient.
    ema_decay : float, default=0.99
        Decay of the generator's moving average, which is the generator that is used.
    validation_fraction : float, default=0.2
        Share of the rows that the GAN does not train on, for early stopping. They alone
        calibrate when `heads` has one of the GAN's or "detail_restoration", or ``score="paper"``.
    n_iter_no_change : int or None, default=8
        Measures on held-out rows (one every 50 steps) without improvement that end a phase;
        ``None`` never ends it.
    max_categories : int, default=50
        Categories of a column with a channel of their own.
    image_size : "auto", int or None, default="auto"
        Longer side that the GAN sees images at; ``None`` keeps them up to 64 pixels. "auto" is
        32 for larger ones, else ``None``.
    detail_size : "auto", int or None, default="auto"
        Largest longer side, in pixels, at which the head "detail_restoration" sees images;
        ``None`` is their own. "auto" is 128.
    standardize_images : "auto" or bool, default="auto"
        Take each image's own mean and deviation out first. "auto" does so with images larger
        than 64 pixels.
    diff_augment : bool, default=False
        Show the critic images in other places, brighter and of other contrast (DiffAugment [6]_),
        so that it does not learn a few hundred by heart. It takes more steps than the default:
        of 100 garments, with 800 steps, new ones were farther from real ones than without.
    backbone : str or None, default=None
        A torchvision ResNet ("resnet18", "wide_resnet50_2" ...) that was trained on other images:
        its features of the details are two more heads, "backbone_memory" (PatchCore's memory of
        patches [5]_) and "backbone_residual" (their cosine distance to those of the
        restored image; larger images only). The model file keeps what it needs of the network.
    backbone_weights : path or None, default=None
        File with its weights (a ``state_dict``, or .safetensors); ``None`` is torchvision's own,
        which are downloaded once.
    warm_start_from : path or None, default=None
        Model file of a detector that was trained before, on rows of the same columns or images
        of the same shape: its encoding is taken over, and its networks are trained on. Where it has
        an encoder, the generator begins with the latents that this gives to the new rows, if that
        brings its rows clearly nearer. `fit` takes as many steps as without; fewer are enough.
    freeze_critic : int, default=0
        So many of the critic's layers, the lowest first, stay as `warm_start_from` has them
        (FreezeD [7]_).
    callbacks : list of callable or None, default=None
        Each is called with a row (dict) of the training history.
    checkpoint : path or None, default=None
        File that the state of training is kept in, to resume from; yours to delete.
    checkpoint_interval : float, default=30.0
        Seconds between two checkpoints.
    resume : bool, default=False
        Go on from `checkpoint`: ends in the same model as if never interrupted.
    device : str, default="auto"
        Torch device; "auto" is CUDA, MPS or the CPU.
    random_state : int, RandomState or None, default=None
        Seed of everything; the global random states are never used.
    verbose : {0, 1, 2}, default=0
        What `fit` shows on stderr: nothing, progress bars, or a line for each measure. The logger
        ``augan`` gets the same: phases and events at INFO, every report at DEBUG.

    Attributes
    ----------
    offset_ : float
        ``decision_function = score_samples - offset_``; set by `fit`, and moved by another
        `target_fpr` given later.
    threshold_ : float
        The same threshold on `anomaly_score`.
    history_ : History
        What training reported.
    codec_, networks_, scorer_ : object
        The parts that were fitted.
    n_features_in_ : int
        Columns, or pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, when `fit` saw a DataFrame.

    References
    ----------
    .. [1] Schlegl, Seeböck, Waldstein, Langs and Schmidt-Erfurth. "f-AnoGAN: Fast unsupervised
       anomaly detection with generative adversarial networks." Medical Image Analysis, 2019.
    .. [2] Gulrajani et al. "Improved training of Wasserstein GANs." NeurIPS, 2017.
    .. [3] Goodfellow et al. "Generative adversarial nets." NeurIPS, 2014.
    .. [4] Golan and El-Yaniv. "Deep anomaly detection using geometric transformations."
       NeurIPS, 2018.
    .. [5] Roth et al. "Towards total recall in industrial anomaly detection." CVPR, 2022.
    .. [6] Zhao et al. "Differentiable augmentation for data-efficient GAN training." NeurIPS,
       2020.
    .. [7] Mo, Cho and Shin. "Freeze the discriminator: a simple baseline for fine-tuning GANs."
       CVPR workshops, 2020.
    .. [8] Radford, Metz and Chintala. "Unsupervised representation learning with deep
       convolutional generative adversarial networks." ICLR, 2016.
    .. [9] Miyato, Kataoka, Koyama and Yoshida. "Spectral normalization for generative
       adversarial networks." ICLR, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import FAnoGAN
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = FAnoGAN(max_steps=50, encoder_steps=50, pretext_steps=50, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.1], [8.0, -8.0]])
    array([ 1, -1])
    """

    _has_encoder = True

    def __init__(
        self,
        gan: str = "wgan-gp",
        score: str = "calibrated",
        *,
        kappa: float = 1.0,
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
        encoder_steps: str | int = "auto",
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
        lr_encoder: float = 1e-3,
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
        self.kappa = kappa
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
        self.encoder_steps = encoder_steps
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
        self.lr_encoder = lr_encoder
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
