"""GANSampler: synthetic rows of rare classes, with imbalanced-learn's interface."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from imblearn.utils import check_sampling_strategy
from numpy.typing import NDArray
from torch import Tensor

from augan._random import draw_seed, numpy_stream, torch_stream
from augan.codecs.codec import Codec
from augan.estimators.dry_run import DryRunMixin
from augan.estimators.imputing import ImputingMixin
from augan.estimators.sampler_parameters import SamplerParameters
from augan.exceptions import ParameterError, shown
from augan.frames import library_of
from augan.inputs.labelled import (
    USUAL_NAME,
    check_amounts,
    check_labels,
    dense,
    joined,
    name_of,
    read_groups,
    read_labelled,
)
from augan.inputs.reading import Data, take, with_any_input
from augan.inputs.resampled import as_pandas
from augan.models.config import SamplerConfig, sampler_config
from augan.models.sampler import SamplerModel
from augan.models.sampler_training import fit_sampler
from augan.parameters import check_params, estimator
from augan.sampling.shares import draw_copies, split_added

if TYPE_CHECKING:
    from augan._sklearn import BaseOverSampler
else:
    from imblearn.over_sampling.base import BaseOverSampler

STRATEGIES = ("auto", "not majority", "minority", "not minority", "all")  # of imbalanced-learn


@estimator
class GANSampler(ImputingMixin, DryRunMixin, SamplerParameters, BaseOverSampler):
    """Over-sample rare classes with synthetic rows or images.

    On tables a network learns the distribution of each column, given any others and the class, from
    the rows of all classes (an any-order autoregressive model [8]_, [9]_). New rows are drawn from
    it column by column; in `fit_resample` they keep some of the cells of a real row (`spread`).
    With ``method="gan"`` or ``"latent"`` they come from a class-conditional GAN, whose
    conditioning is phased in, so that small classes benefit from the rows of the others [1]_,
    [2]_; only these methods use the parameters of the GAN, such as `gan` and `latent_dim`. New
    images are deformed real ones [7]_, unless another `method` is given.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    sampling_strategy_ : dict
        Number of rows of each class that `fit_resample` adds, including copies; with `tune_for` the
        number that was chosen.
    copies_ : dict
        Number of copies of real rows among them, in the last call of `fit_resample`.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    class_counts_ : dict
        Number of real rows of each class that new rows are made from.
    methods_ : dict
        Source of each class's new rows: "columns", "gan", "latent" or "data".
    spread_, synthetic_share_, symmetry_ : float, float or None, str or None
        `spread`, `synthetic_share` and `symmetry` of `fit_resample`, or the values chosen by
        cross-validation.
    sample_spread_ : float
        `spread` of `sample`.
    tuning_ : list of Trial or None
        Cross-validation results with `tune_for`, if classes have at least 100 rows or 6 images,
        and with `groups` at least 3 groups each.
    critic_auc_ : tuple of float, or None
        AUROC of a classifier of new rows of a table against held-out ones, before and after the
        filter "critic".
    relations_ : list of str
        Relations between columns that new rows obey, such as "'start' ≤ 'end'".
    refused_ : dict
        Number of rows rejected by each filter in the last call of `fit_resample` or `sample`.
    history_ : History
        The training history.
    codec_, networks_ : object
        Fitted encoder and decoder of rows, and networks.
    n_features_in_ : int
        Number of columns, or of pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, if `X` is a DataFrame.

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
    .. [8] Hoogeboom, Gritsenko, Bastings, Poole, van den Berg and Salimans. "Autoregressive
       diffusion models." ICLR, 2022.
    .. [9] Tiwald, Krchova, Sidorenko, Vargas Vieyra, Scriminaci and Platzer. "TabularARGN: a
       flexible and efficient auto-regressive framework for generating high-fidelity synthetic
       data." 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import GANSampler
    >>> X = np.random.default_rng(0).normal(size=(120, 2))
    >>> y = np.repeat(["normal", "fraud"], [100, 20])
    >>> sampler = GANSampler(max_steps=20, random_state=0)
    >>> X_new, y_new = sampler.fit_resample(X, y)
    >>> np.unique(y_new, return_counts=True)
    (array(['fraud', 'normal'], dtype='<U6'), array([100, 100]))
    >>> sampler.methods_["fraud"]
    'columns'
    """

    sampling_strategy_: dict[Any, int] = field(init=False)
    copies_: dict[Any, int] = field(init=False)

    def fit(self, X: Any, y: Any, groups: Any = None) -> GANSampler:
        """Train on rows of all classes.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n, d), or images (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,)
            Their classes.
        groups : array-like of shape (n,), optional
            Groups of rows, for example photographs of one part; cross-validation by `tune_for`
            does not split them.

        Returns
        -------
        self : object
            Fitted sampler.

        Raises
        ------
        DataError
            If the data cannot be used; the message names the row or column.
        ParameterError
            If a parameter has an invalid value.
        NotTrainableError
            If training diverges repeatedly.
        """
        rows, y, _ = as_pandas(X, y)
        check_labels(y)
        label = name_of(y)
        rows, y, _ = self._check_X_y(rows, y)
        self._train(dense(rows), y, groups, label)
        self.codec_.library = library_of(X)
        return self

    def _fit_networks(self, X: Any, y: Any) -> None:
        self.fit(X, y)

    def _config(self, params: Mapping[str, Any], codec: Codec) -> SamplerConfig:
        return sampler_config(params, codec)

    def _train(self, data: Data, y: NDArray[Any], groups: Any, label: str) -> None:
        """Fit to rows with checked labels; `sampling_strategy_` is already set."""
        params = self.get_params(deep=False)
        check_params(type(self), params)
        self.model_, self.history_ = fit_sampler(
            params,
            data,
            y,
            strategy=self.sampling_strategy_,
            groups=read_groups(groups, len(y)),
            label=label,
            seed=draw_seed(self.random_state),
        )
        self._take_model()

    def _take_model(self) -> None:
        """Set the attributes that depend on the model."""
        self.seed_, self.classes_ = self.model_.seed, self.model_.classes
        self.sampling_strategy_ = self.model_.strategy
        self.trained_ = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

    def _strategy(self, y: Any) -> dict[Any, int]:
        """Return the number of rows to add of each class, by `sampling_strategy`."""
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
        """Fit, and return the rows with new ones of the classes in `sampling_strategy`.

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
            The original rows, then copies (with `synthetic_share`) and new rows, sorted by class.
            A DataFrame has a new index, as in imbalanced-learn.
        y_resampled : same type as y
            Their classes.

        Raises
        ------
        DataError, ParameterError, NotTrainableError
            As in `fit`.
        """
        rows, labels, back = as_pandas(X, y)
        check_labels(labels)
        resample: Any = super().fit_resample  # hands other arguments to _fit_resample
        found = resample(rows, labels, groups=groups, label=name_of(labels))
        self.codec_.library = library_of(X)
        return back(*found)

    def _fit_resample(
        self, X: Any, y: NDArray[Any], groups: Any = None, label: str = USUAL_NAME
    ) -> tuple[Any, NDArray[Any]]:
        data = dense(X)
        self._train(data, y, groups, label)
        codes, labels = np.searchsorted(self.classes_, y), self.classes_.tolist()
        asked = np.array([self.sampling_strategy_.get(label, 0) for label in labels])
        share = self.synthetic_share_
        copies, added = split_added(np.bincount(codes), asked, share)
        self.copies_ = dict(zip(labels, copies.tolist(), strict=True))
        if share is not None:
            self.sampling_strategy_ = dict(zip(labels, (copies + added).tolist(), strict=True))
        wanted = {code: n for code, n in enumerate(added.tolist()) if n}
        random = torch_stream(self.seed_, "sample")
        new, self.refused_ = self.model_.added_maker.make(wanted, random)
        y_new = self._labels(wanted)
        copied = draw_copies(codes, copies, numpy_stream(self.seed_, "copies"))
        if not wanted and not len(copied):
            return X, y
        y_added = np.concatenate([y[copied], y_new.astype(y.dtype, copy=False)])
        return joined(X, data, take(data, copied), new), np.concatenate([y, y_added])

    def _parts(self) -> tuple[Codec, dict[str, Any], dict[str, Tensor]]:
        return self.model_.codec, *self.model_.state()

    def _take_parts(
        self, codec: Codec, values: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
    ) -> None:
        config, trained = sampler_config(self.get_params(deep=False), codec), self.trained_
        given = config, codec, self.seed_, values, tensors, device
        self.model_, self.refused_ = SamplerModel.from_state(*given), {}
        self._take_model()
        self.trained_ = trained

    def _check_X_y(self, X: Any, y: Any, accept_sparse: Any = None) -> tuple[Any, Any, bool]:
        """Check X and y as imbalanced-learn does, without converting tables and images."""
        data, labels, binarized = read_labelled(self, X, y)
        self.sampling_strategy_ = self._strategy(labels)
        return data, labels, binarized

    def __sklearn_tags__(self) -> Any:
        return with_any_input(super().__sklearn_tags__())
