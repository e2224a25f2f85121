"""GANSampler: new rows of rare classes, behind imbalanced-learn's interface."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_sampling_strategy
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from augan._random import draw_seed, numpy_stream, torch_stream
from augan.codecs.image import ImageCodec
from augan.codecs.table import TableCodec
from augan.estimators._defaults import (
    IMAGE_SAMPLER,
    SamplerDefaults,
    of_images,
    table_sampler_defaults,
)
from augan.estimators._params import check_params
from augan.estimators._sampler_training import train_sampler
from augan.exceptions import ParameterError, shown
from augan.frames import PANDAS, given_back, library_of
from augan.inputs.labelled import (
    check_amounts,
    check_labels,
    dense,
    joined,
    read_groups,
    read_labelled,
)
from augan.inputs.reading import take, with_any_input
from augan.inputs.resampled import as_pandas
from augan.sampling.conditions import Conditions, read_conditions
from augan.sampling.shares import draw_copies, split_added

STRATEGIES = ("auto", "not majority", "minority", "not minority", "all")  # of imbalanced-learn


class GANSampler(BaseOverSampler):
    """Over-sample rare classes with rows that a class-conditional GAN makes.

    A generator and a critic are trained on all rows, the class coming in by and by, so that a
    class of twenty learns from the others what rows look like. New rows of a class then come
    from one of three sources, by how many real ones there are; `methods_` says which. New images
    are real ones, deformed, if no other `method` is asked for.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: which classes are resampled, and to how many rows; "auto" brings
        all but the largest up to its size.
    method : {"auto", "gan", "latent", "data"}, default="auto"
        Where new rows come from. "gan": the generator alone, without an encoder. "latent": real
        rows, their latents moved. "data": real rows, each column moved by itself, or real images,
        deformed and with noise; no GAN is trained. "auto" takes the data of images; in tables the
        latents of classes with at least 5 rows, and the data of smaller ones.
    spread : float, default=1.0
        How far from the real row to go: in deviations of the class's latents for "latent", in
        half deviations of a column for "data"; images of "data" are turned by up to a fifth of a
        radian times this, zoomed by up to 15 % and so on [7]_, get another brightness and contrast
        and white noise of up to 0.3 deviations of their pixels times this.
    synthetic_share : "auto", None or float, default="auto"
        None: all rows that `fit_resample` adds are synthetic, and only classes that
        `sampling_strategy` names get any, as in imbalanced-learn. A number between 0 and 1: that
        share of the rows of every class is synthetic in the end. Classes get to the size that
        `sampling_strategy` says by copies of real rows, and then all, the largest too, grow by
        synthetic ones. What these have in common, such as a network's noise, then does not tell
        a classifier their class. "auto" is None for tables, 0.5 for images.
    symmetry : {"auto", "flips", "dihedral"} or None, default="auto"
        What leaves an image what it is: "flips", mirroring it and turning it upside down;
        "dihedral", quarter turns as well. New images are then reflected at random. "auto" is None,
        or with `tune_for` what cross-validation finds: "dihedral" ("flips" if images are not
        square) or None.
    filters : sequence of {"critic", "label", "copies"}, default=()
        What refuses new rows. "critic": rejection sampling by the critic, calibrated on held-out
        rows [5]_. "label": rows that a forest finds less typical of their class than nine of ten
        real ones. "copies": rows nearer to a real one than real ones are to each other, but for
        one of twenty. There are as many rows as asked for, or an error; `refused_` says how many
        were not kept.
    tune_for : None, "auto" or classifier, default=None
        What new rows are for: how many of those that `sampling_strategy` asks for are added,
        perhaps none, and how near to real ones they are, is then chosen by cross-validation in
        the training rows, by the average precision of this classifier; "auto" is the mean of a
        logistic regression, a random forest and histogram boosting. Of classes of fewer than 100
        rows that says too little: they get up to ten times as many. Of images it is chosen
        whether none are added, copies, or how many new ones, how near and how reflected, by the
        mean F1 of the classes; "auto" is a small convolutional network, any other classifier sees
        pixels.
    gan : {"wgan-gp", "dcgan", "gan", "hinge"}, default="wgan-gp"
        Loss of the GAN.
    latent_dim, width, max_steps, encoder_steps, batch_size, n_critic : "auto" or int
        As in `FAnoGAN`; "auto" is a latent dimension for every two columns, at least 4 and at
        most 64, width 256, 1500 steps of the GAN, 800 of the encoder, batches of 128 and
        2 steps of the critic for tables; 64, 32, 800, 400, 64 and 1 for images. With "gan" as
        `method` there is no encoder to train.
    architecture, spectral_norm : "auto" or as in `FAnoGAN`
        As in `FAnoGAN`.
    gradient_penalty, r1, feature_matching : float, default=10.0, 0.0, 0.0
        Weights in the losses.
    lr_generator, lr_critic, lr_encoder : float, default="auto", "auto", 1e-3
        Base learning rates of Adam; "auto" is 2e-4 and 1e-3 for tables, 1e-3 and 2e-3 for images,
        2e-4 and 4e-4 for dense networks of images.
    betas : "auto" or tuple of float, default="auto"
        Adam's decay rates, of generator and critic; "auto" is (0.5, 0.9) for tables, (0, 0.9) for
        images.
    schedule : {"cosine", "linear", "constant"}, default="cosine"
        How learning rates fall.
    gradient_clip : float or None, default=None
        Largest norm of a network's gradient.
    ema_decay : float, default=0.99
        Decay of the averaged generator.
    max_time : float or None, default=None
        Seconds after which training ends.
    validation_fraction : float, default=0.1
        Share of the rows of large classes that training only looks at.
    n_iter_no_change : int or None, default=None
        Stop early after so many measures on those rows without improvement.
    max_categories : int, default=50
        Categories of a column with a channel of their own.
    image_size : int or None, default=None
        Longer side that new images are made at; None: up to 64 pixels for the GAN, their own for
        "data".
    diff_augment : bool, default=True
        Whether the critic sees images, real and new ones, shifted and of another brightness and
        contrast, so that it cannot learn few of them by heart [6]_.
    callbacks : list of callable or None, default=None
        Each is called with a row (dict) of the training history.
    device : str, default="auto"
        Torch device; "auto" is CUDA, MPS or the CPU.
    random_state : int, RandomState or None, default=None
        Seed of everything; the global random states are never used.
    verbose : {0, 1, 2}, default=0
        What `fit` shows on stderr: nothing, progress bars, or a line for each measure. The logger
        ``augan`` gets the same: phases and events at INFO, every report at DEBUG.

    Attributes
    ----------
    sampling_strategy_ : dict
        How many rows of each class `fit_resample` adds; with `tune_for` as was chosen, with
        `synthetic_share` copies and all.
    copies_ : dict
        How many of those are copies of real rows, in the last call of `fit_resample`.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    methods_ : dict
        Source of each class's new rows: "gan", "latent" or "data".
    spread_, synthetic_share_, symmetry_ : float, float or None, str or None
        `spread`, `synthetic_share` and `symmetry`, or what was chosen.
    tuning_ : list of Trial or None
        What each number of rows and spread is worth in cross-validation, with `tune_for` and
        classes of at least 100 rows, or of at least 6 images; with `groups`, of 3 groups each.
    refused_ : dict
        How many rows each filter refused in the last call of `fit_resample` or `sample`.
    history_ : History
        What training reported.
    codec_, networks_ : object
        The parts that were fitted.
    n_features_in_ : int
        Columns, or pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, when `fit` saw a DataFrame.

    References
    ----------
    .. [1] Miyato and Koyama. "cGANs with projection discriminator." ICLR, 2018.
    .. [2] Shahbazi, Danelljan, Paudel and Van Gool. "Collapse by conditioning: training
       class-conditional GANs with limited data." ICLR, 2022.
    .. [3] Chawla et al. "SMOTE: synthetic minority over-sampling technique." JAIR, 2002.
    .. [4] Silverman and Young. "The bootstrap: to smooth or not to smooth?" Biometrika, 1987.
    .. [5] Azadi, Olsson, Darrell, Goodfellow and Odena. "Discriminator rejection sampling."
       ICLR, 2019.
    .. [6] Zhao, Liu, Lin, Zhu and Han. "Differentiable augmentation for data-efficient GAN
       training." NeurIPS, 2020.
    .. [7] Simard, Steinkraus and Platt. "Best practices for convolutional neural networks applied
       to visual document analysis." ICDAR, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import GANSampler
    >>> X = np.random.default_rng(0).normal(size=(120, 2))
    >>> y = np.repeat(["normal", "fraud"], [100, 20])
    >>> sampler = GANSampler(max_steps=20, encoder_steps=20, random_state=0)
    >>> X_new, y_new = sampler.fit_resample(X, y)
    >>> np.unique(y_new, return_counts=True)
    (array(['fraud', 'normal'], dtype='<U6'), array([100, 100]))
    >>> sampler.methods_["fraud"]
    'latent'
    """

    sampling_strategy_: dict[Any, int]

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        method: str = "auto",
        spread: float = 1.0,
        synthetic_share: str | float | None = "auto",
        symmetry: str | None = "auto",
        filters: Any = (),
        tune_for: Any = None,
        gan: str = "wgan-gp",
        latent_dim: str | int = "auto",
        width: str | int = "auto",
        architecture: str = "auto",
        spectral_norm: str | bool = "auto",
        max_steps: str | int = "auto",
        encoder_steps: str | int = "auto",
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
        max_time: float | None = None,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        max_categories: int = 50,
        image_size: int | None = None,
        diff_augment: bool = True,
        callbacks: Any = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.method = method
        self.spread = spread
        self.synthetic_share = synthetic_share
        self.symmetry = symmetry
        self.filters = filters
        self.tune_for = tune_for
        self.gan = gan
        self.latent_dim = latent_dim
        self.width = width
        self.architecture = architecture
        self.spectral_norm = spectral_norm
        self.max_steps = max_steps
        self.encoder_steps = encoder_steps
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
        self.max_time = max_time
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_categories = max_categories
        self.image_size = image_size
        self.diff_augment = diff_augment
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> GANSampler:
        """Train on rows of all classes.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n, d), or images (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,)
            Their classes.
        groups : array-like of shape (n,), optional
            Which rows belong together, such as photographs of one part: `tune_for` never learns
            from some of a group and tests on others.

        Returns
        -------
        self : object
            Fitted sampler.

        Raises
        ------
        DataError
            When the data cannot be trained on; the message names the row or column.
        ParameterError
            When a parameter has a value that it cannot have.
        NotTrainableError
            When training goes on diverging.
        """
        rows, y, _ = as_pandas(X, y)
        check_labels(y)
        rows, y, _ = self._check_X_y(rows, y)
        train_sampler(self, dense(rows), y, read_groups(groups, len(y)))
        self._remember_library(X)
        return self

    def _strategy(self, y: Any) -> dict[Any, int]:
        """Return how many rows each class is to get, of what `sampling_strategy` says."""
        asked = self.sampling_strategy
        given = f"sampling_strategy={shown(asked)}"
        if isinstance(asked, Real) and not 0 < float(asked) <= 1:
            raise ParameterError(f"{given}: must be above 0, at most 1")
        if isinstance(asked, str) and asked not in STRATEGIES:
            raise ParameterError(f"{given}: is not one of {', '.join(map(shown, STRATEGIES))}")
        try:
            added = dict(check_sampling_strategy(asked, y, self._sampling_type))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ParameterError(
                f"{given}: {shown(str(error).splitlines()[0], 200)[1:-1]}"
            ) from error
        check_amounts(added, given)
        return added

    def fit_resample(self, X: Any, y: Any, groups: Any = None) -> tuple[Any, Any]:
        """Train, and return the rows with new ones of the classes in `sampling_strategy`.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n, d), or images (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,)
            Their classes.
        groups : array-like of shape (n,), optional
            As in `fit`.

        Returns
        -------
        X_resampled : same type as X
            The rows as they came, those of a DataFrame numbered anew as in imbalanced-learn; below
            them copies, where `synthetic_share` asks for some, and new rows, class by class.
        y_resampled : same type as y
            Their classes.

        Raises
        ------
        DataError, ParameterError, NotTrainableError
            As in `fit`.
        """
        rows, labels, back = as_pandas(X, y)
        check_labels(labels)
        found = cast("tuple[Any, Any]", super().fit_resample(rows, labels, groups=groups))
        self._remember_library(X)
        return back(*found)

    def sample(
        self,
        n_samples: int | Mapping[Any, int] = 1,
        *,
        where: Mapping[str, Any] | None = None,
        score_range: tuple[float, float] | None = None,
        random_state: Any = None,
    ) -> tuple[Any, NDArray[Any]]:
        """Return new rows, of the columns and dtypes of training, and their classes.

        Parameters
        ----------
        n_samples : int or mapping of class to int, default=1
            How many, exactly: of all classes as frequent as they were in training, or of each.
        where : mapping of str to object, optional
            What columns of a table hold: a value, None for missing, or a tuple (low, high) of
            numbers or dates, either None for no bound.
        score_range : tuple of float, optional
            Keep rows whose distance to their class's nearest real rows is between these
            quantiles of the real rows' own; (0.9, 0.99) are rows at the edge of the class.
        random_state : int, RandomState or None, default=None
            Seed; ``None`` takes the constructor's `random_state`.

        Returns
        -------
        X_new : DataFrame, frame of the library of training, or ndarray
            Rows or images.
        y_new : ndarray of shape (n,)
            Their classes.

        Raises
        ------
        ParameterError
            For a class, column or value that training has not seen.
        DataError
            When too few rows pass what is asked of them; the message says what refused how many.
        """
        check_is_fitted(self, "codec_")
        given = self.random_state if random_state is None else random_state
        check_params({"random_state": random_state})
        if score_range is not None:
            check_params({"score_range": score_range})
        random = torch_stream(draw_seed(given), "sample")
        conditions = read_conditions(where, self.codec_)
        wanted = self._wanted(n_samples, conditions, random)
        rows, y = self._make(wanted, random, conditions=conditions, score_range=score_range)
        library = getattr(self.codec_, "library", PANDAS)
        return (given_back(rows, library) if isinstance(rows, pd.DataFrame) else rows), y

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path` (``.augan``), whole or not at all, without pickle.

        The file holds real rows, encoded: new ones are made of them.
        """
        from augan.io.model_file import save

        check_is_fitted(self, "codec_")
        save(self, path)

    def _fit_resample(
        self, X: Any, y: NDArray[Any], groups: Any = None
    ) -> tuple[Any, NDArray[Any]]:
        data = dense(X)
        train_sampler(self, data, y, read_groups(groups, len(y)))
        codes, labels = np.searchsorted(self.classes_, y), self.classes_.tolist()
        asked = np.array([self.sampling_strategy_.get(label, 0) for label in labels])
        share = self.synthetic_share_
        copies, added = split_added(np.bincount(codes), asked, share)
        self.copies_ = dict(zip(labels, copies.tolist(), strict=True))
        if share is not None:
            self.sampling_strategy_ = dict(zip(labels, (copies + added).tolist(), strict=True))
        wanted = {code: n for code, n in enumerate(added.tolist()) if n}
        new, y_new = self._make(wanted, torch_stream(self.seed_, "sample"))
        copied = draw_copies(codes, copies, numpy_stream(self.seed_, "copies"))
        if not wanted and not len(copied):
            return X, y
        y_added = np.concatenate([y[copied], y_new.astype(y.dtype, copy=False)])
        return joined(X, data, take(data, copied), new), np.concatenate([y, y_added])

    def _remember_library(self, X: Any) -> None:
        """Remember whose frames `sample` returns."""
        if isinstance(self.codec_, TableCodec):
            self.codec_.library = library_of(X)

    def _make(
        self, wanted: Mapping[int, int], random: torch.Generator, **asked: Any
    ) -> tuple[Any, NDArray[Any]]:
        """Return new rows, one class after the other, and their classes."""
        rows, self.refused_ = self._maker.make(wanted, random, **asked)
        return rows, np.repeat(self.classes_[list(wanted)], list(wanted.values()))

    def _wanted(
        self, n_samples: Any, conditions: Conditions | None, random: torch.Generator
    ) -> dict[int, int]:
        """Return how many rows of each class, by number, are asked for."""
        if not isinstance(n_samples, Mapping):
            check_params({"n_samples": n_samples})
            shares = self._maker.shares(self._shares, conditions)
            drawn = torch.multinomial(shares, n_samples, replacement=True, generator=random)
            counts = torch.bincount(drawn, minlength=len(self.classes_)).tolist()
            return {code: n for code, n in enumerate(counts) if n}
        known = {label: code for code, label in enumerate(self.classes_.tolist())}
        for label, n in n_samples.items():
            if label not in known:
                found = ", ".join(map(shown, sorted(known, key=str)[:5]))
                raise ParameterError(
                    f"n_samples: no class {shown(label)} in training; it had {found}"
                )
            check_params({"n_samples": n})
        if not n_samples:
            raise ParameterError("n_samples: no class is asked for")
        return {known[label]: n for label, n in n_samples.items()}

    def _auto(self, name: str) -> Any:
        """Return a parameter, "auto" replaced by the default for this kind of data."""
        value = getattr(self, name)
        is_auto = isinstance(value, str) and value == "auto"
        return getattr(self._defaults, name) if is_auto else value

    @property
    def _defaults(self) -> SamplerDefaults:
        if isinstance(self.codec_, ImageCodec):
            return replace(IMAGE_SAMPLER, **of_images(self.gan, self.architecture))
        return table_sampler_defaults(sum(bool(column.spans()) for column in self.codec_.columns))

    def _check_X_y(self, X: Any, y: Any, accept_sparse: Any = None) -> tuple[Any, Any, bool]:
        """Check X and y as imbalanced-learn does, but let tables and images pass as they are."""
        data, labels, binarized = read_labelled(self, X, y)
        self.sampling_strategy_ = self._strategy(labels)
        return data, labels, binarized

    def __sklearn_tags__(self) -> Any:
        return with_any_input(super().__sklearn_tags__())
