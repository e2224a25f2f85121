"""GANSampler: new rows of rare classes, behind imbalanced-learn's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_sampling_strategy, check_target_type
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from augan._device import resolve_device
from augan._random import draw_seed, numpy_stream, torch_stream
from augan.codecs import Codec, ImageCodec, TableCodec
from augan.estimators._defaults import IMAGE_SAMPLER, SamplerDefaults, table_sampler_defaults
from augan.estimators._input import Data, is_image_array, read_input
from augan.estimators._params import check_params
from augan.estimators._sampler_input import check_labels, dense, joined
from augan.estimators._training import training_config
from augan.exceptions import DataError, ParameterError
from augan.networks import Networks, build_class_networks
from augan.sampling.ladder import build_source, choose
from augan.sampling.training import train_class_networks
from augan.training.loop import Schedule
from augan.training.monitor import History

MAX_KEPT = 10_000  # rows of a class that new ones are made of


class GANSampler(BaseOverSampler):
    """Over-sample rare classes with rows that a class-conditional GAN makes.

    A generator and a critic are trained on all rows, the class coming in by and by, so that a
    class of twenty learns from the others what rows look like. New rows of a class then come
    from one of three sources, by how many real ones there are; `methods_` says which.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: which classes are resampled, and to how many rows; "auto" brings
        all but the largest up to its size.
    method : {"auto", "gan", "latent", "data"}, default="auto"
        Where new rows come from. "gan": the generator alone. "latent": real rows, their latents
        moved. "data": real rows, each column moved by itself. "auto" takes the latents of
        classes with at least 5 rows, and the data of smaller ones.
    spread : float, default=1.0
        How far from the real row to go: in deviations of the class's latents for "latent", in
        half deviations of a column for "data".
    gan : {"wgan-gp", "dcgan", "gan", "hinge"}, default="wgan-gp"
        Loss of the GAN.
    latent_dim, width, max_steps, encoder_steps, batch_size, n_critic : "auto" or int
        As in `FAnoGAN`; "auto" is a latent dimension for every two columns, at least 4 and at
        most 64, width 256, 1500 steps of the GAN, 800 of the encoder, batches of 128 and
        2 steps of the critic for tables; 64, 32, 800, 400, 64 and 1 for images.
    gradient_penalty, r1, feature_matching : float, default=10.0, 0.0, 0.0
        Weights in the losses.
    lr_generator, lr_critic, lr_encoder : float, default=2e-4, 1e-3, 1e-3
        Base learning rates of Adam.
    betas : tuple of float, default=(0.5, 0.9)
        Adam's decay rates.
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
        Longer side that the networks work at; None: up to 64 pixels.
    callbacks : list of callable or None, default=None
        Each is called with a row (dict) of the training history.
    device : str, default="auto"
        Torch device; "auto" is CUDA, MPS or the CPU.
    random_state : int, RandomState or None, default=None
        Seed of everything; the global random states are never used.

    Attributes
    ----------
    sampling_strategy_ : dict
        How many rows of each class `fit_resample` adds.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    methods_ : dict
        Source of each class's new rows: "gan", "latent" or "data".
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

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        method: str = "auto",
        spread: float = 1.0,
        gan: str = "wgan-gp",
        latent_dim: str | int = "auto",
        width: str | int = "auto",
        max_steps: str | int = "auto",
        encoder_steps: str | int = "auto",
        batch_size: str | int = "auto",
        n_critic: str | int = "auto",
        gradient_penalty: float = 10.0,
        r1: float = 0.0,
        feature_matching: float = 0.0,
        lr_generator: float = 2e-4,
        lr_critic: float = 1e-3,
        lr_encoder: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.9),
        schedule: str = "cosine",
        gradient_clip: float | None = None,
        ema_decay: float = 0.99,
        max_time: float | None = None,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        max_categories: int = 50,
        image_size: int | None = None,
        callbacks: Any = None,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.method = method
        self.spread = spread
        self.gan = gan
        self.latent_dim = latent_dim
        self.width = width
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
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> GANSampler:
        """Train on rows of all classes.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n, d), or images (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,)
            Their classes.

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
        check_labels(y)
        X, y, _ = self._check_X_y(X, y)
        self.sampling_strategy_ = check_sampling_strategy(
            self.sampling_strategy, y, self._sampling_type
        )
        self._train(dense(X), y)
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Train, and return the rows with new ones of the classes in `sampling_strategy`.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n, d), or images (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,)
            Their classes.

        Returns
        -------
        X_resampled : same type as X
            The rows as they came, and new ones below them, class by class.
        y_resampled : same type as y
            Their classes.

        Raises
        ------
        DataError, ParameterError, NotTrainableError
            As in `fit`.
        """
        check_labels(y)
        return cast("tuple[Any, Any]", super().fit_resample(X, y))

    def sample(
        self, n_samples: int | Mapping[Any, int] = 1, *, random_state: Any = None
    ) -> tuple[Any, NDArray[Any]]:
        """Return new rows, of the columns and dtypes of training, and their classes.

        Parameters
        ----------
        n_samples : int or mapping of class to int, default=1
            How many, exactly: of all classes as frequent as they were in training, or of each.
        random_state : int, RandomState or None, default=None
            Seed; ``None`` takes the constructor's `random_state`.

        Returns
        -------
        X_new : DataFrame or ndarray
            Rows or images.
        y_new : ndarray of shape (n,)
            Their classes.
        """
        check_is_fitted(self, "codec_")
        given = self.random_state if random_state is None else random_state
        check_params({"random_state": random_state})
        random = torch_stream(draw_seed(given), "sample")
        return self._draw(self._wanted(n_samples, random), random)

    def _fit_resample(self, X: Any, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        data = dense(X)
        self._train(data, y)
        wanted = {label: n for label, n in self.sampling_strategy_.items() if n > 0}
        if not wanted:
            return X, y
        new, labels = self._draw(wanted, torch_stream(self.seed_, "sample"))
        return joined(X, data, new), np.concatenate([y, labels.astype(y.dtype, copy=False)])

    def _train(self, data: Data, y: NDArray[Any]) -> None:
        """Fit codec and networks; keep what the sources of each class need."""
        params = self.get_params(deep=False)
        check_params(params)
        device = resolve_device(self.device)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.seed_ = draw_seed(self.random_state)
        images = is_image_array(data)
        self.codec_: Codec = (
            ImageCodec(self.image_size) if images else TableCodec(self.max_categories)
        ).fit(data)
        encoded, labels = self.codec_.encode(data), torch.from_numpy(codes)
        counts = np.bincount(codes)
        self.methods_ = {
            label: choose(self.method, n)
            for label, n in zip(self.classes_.tolist(), counts, strict=True)
        }
        self.networks_: Networks | None = None
        self.history_ = History()
        if self.method != "data":
            self.networks_, self.history_ = self._train_networks(encoded, labels, device)
        self._shares = torch.from_numpy(counts / counts.sum())
        kept = torch.from_numpy(_at_most(codes, MAX_KEPT, numpy_stream(self.seed_, "kept")))
        self._encoded, self._labels = encoded[kept], labels[kept]

    def _train_networks(
        self, encoded: torch.Tensor, labels: torch.Tensor, device: torch.device
    ) -> tuple[Networks, History]:
        sizes = {name: self._auto(name) for name in ("latent_dim", "width")}
        networks = build_class_networks(
            self.codec_.spec, len(self.classes_), **sizes, seed=self.seed_
        )
        for module in networks.modules().values():
            module.to(device)
        history = train_class_networks(
            networks,
            encoded.to(device),
            labels.to(device),
            training_config(self, len(encoded)),
            n_steps=(self._auto("max_steps"), self._auto("encoder_steps")),
            schedule=cast("Schedule", self.schedule),
            max_time=self.max_time,
            patience=self.n_iter_no_change,
            callbacks=self.callbacks or (),
            validation_fraction=self.validation_fraction,
            seed=self.seed_,
        )
        return networks, history

    def _draw(self, wanted: Mapping[Any, int], random: torch.Generator) -> tuple[Any, NDArray[Any]]:
        """Return new rows of each class, one class after the other, and their classes."""
        drawn = []
        for label, n in wanted.items():
            code = int(np.flatnonzero(self.classes_ == label)[0])
            own = self._encoded[self._labels == code]
            if len(own) < 2:
                name = self.classes_[code].item()
                raise DataError(f"class {name!r} has 1 row: it takes at least 2 to make more")
            source = build_source(
                choose(self.method, len(own)),
                self.networks_,
                self.codec_.spec,
                own,
                self._encoded,
                label=code,
                n_classes=len(self.classes_),
                spread=self.spread,
            )
            drawn.append(source.draw(n, random))
        labels = np.repeat(np.array(list(wanted), dtype=self.classes_.dtype), list(wanted.values()))
        return self.codec_.decode(torch.cat(drawn)), labels

    def _wanted(self, n_samples: Any, random: torch.Generator) -> dict[Any, int]:
        """Return how many rows of each class are asked for."""
        if not isinstance(n_samples, Mapping):
            check_params({"n_samples": n_samples})
            drawn = torch.multinomial(self._shares, n_samples, replacement=True, generator=random)
            counts = torch.bincount(drawn, minlength=len(self.classes_)).tolist()
            return {c: n for c, n in zip(self.classes_.tolist(), counts, strict=True) if n}
        known = set(self.classes_.tolist())
        for label, n in n_samples.items():
            if label not in known:
                found = ", ".join(map(repr, sorted(known, key=str)[:5]))
                raise ParameterError(f"n_samples: no class {label!r} in training; it had {found}")
            check_params({"n_samples": n})
        if not n_samples:
            raise ParameterError("n_samples: no class is asked for")
        return dict(n_samples)

    def _auto(self, name: str) -> Any:
        """Return a parameter, "auto" replaced by the default for this kind of data."""
        value = getattr(self, name)
        return getattr(self._defaults, name) if isinstance(value, str) else value

    @property
    def _defaults(self) -> SamplerDefaults:
        if isinstance(self.codec_, ImageCodec):
            return IMAGE_SAMPLER
        return table_sampler_defaults(sum(bool(column.spans()) for column in self.codec_.columns))

    def _check_X_y(self, X: Any, y: Any, accept_sparse: Any = None) -> tuple[Any, Any, bool]:
        """Check X and y as imbalanced-learn does, but let tables and images pass as they are."""
        labels, binarized = check_target_type(y, indicate_one_vs_all=True)
        labels = np.asarray(labels)
        if sparse.issparse(X):
            return *validate_data(self, X=X, y=labels, accept_sparse=["csr", "csc"]), binarized
        data = read_input(X, self)
        if is_image_array(data):
            self.n_features_in_ = int(np.prod(data.shape[1:]))
            self.__dict__.pop("feature_names_in_", None)
        else:
            validate_data(self, X=data, y=labels, skip_check_array=True)
        if len(labels) != len(data):
            raise DataError(f"y has {len(labels)} labels for {len(data)} rows")
        return data, labels, binarized

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.three_d_array = True
        return tags


def _at_most(codes: NDArray[np.intp], n: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return indices of rows, in order: at most `n` of each class, drawn at random."""
    kept = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        kept.append(rows if len(rows) <= n else random.choice(rows, n, replace=False))
    return np.sort(np.concatenate(kept))
