"""Sampling from a fitted sampler, and its fitted attributes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augan.codecs.codec import Codec
from augan.estimators.batches import BatchesMixin
from augan.estimators.exporting import ExportMixin
from augan.exceptions import ExportError, shown
from augan.models.exportable import ExportableModel
from augan.models.sampler import SamplerModel
from augan.networks import Networks
from augan.sampling.tuning import Trial

if TYPE_CHECKING:
    from augan.deploy.export import ExportReport


class SamplingMixin(BatchesMixin, ExportMixin):
    """Mixin of samplers with a fitted `model_`."""

    def sample(
        self,
        n_samples: int | Mapping[Any, int] = 1,
        *,
        where: Mapping[str, Any] | None = None,
        score_range: tuple[float, float] | None = None,
        max_copies: float | None = None,
        random_state: Any = None,
    ) -> tuple[Any, NDArray[Any]]:
        """Return new rows, with the columns and dtypes of training, and their classes.

        Parameters
        ----------
        n_samples : int or mapping of class to int, default=1
            Exact number of rows: of all classes, with their frequencies in training, or of each.
        where : mapping of str to object, optional
            Conditions on columns of a table: a value, None for missing, or a tuple (low, high) of
            numbers or dates, in which None means no bound.
        score_range : tuple of float, optional
            Quantiles of the distances of real rows to their nearest neighbours in the class,
            between which the distances of new rows lie; (0.9, 0.99) gives rows at the edge of the
            class.
        max_copies : float, optional
            Largest share of near copies among new rows of a table, from 0 to 1: rows closer to a
            training row than 95 % of these are to another one. Others are drawn again.
        random_state : int, RandomState or None, default=None
            Seed; ``None`` is the constructor's `random_state`.

        Returns
        -------
        X_new : DataFrame, frame of the library of training, or ndarray
            Rows or images.
        y_new : ndarray of shape (n,)
            Their classes.

        Raises
        ------
        ParameterError
            For a class, column or value that does not occur in the training rows.
        DataError
            If too few rows meet the conditions and pass the filters; the message has the number of
            rejected rows.
        """
        random, wanted, asked = self._asked(n_samples, where, score_range, max_copies, random_state)
        self.model_.maker.check_memory(sum(wanted.values()))
        rows, self.refused_ = self.model_.maker.make(wanted, random, **asked)
        return self._as_trained(rows), self._labels(wanted)

    def export_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        part: str = "generator",
        X: Any = None,
        context: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> ExportReport:
        """Write the generator to one ONNX file, which makes rows without torch.

        The file takes latents and classes, or with ``method="columns"`` uniform numbers, the order
        of the columns and given codes; `OnnxGenerator` draws these itself. Rows of all classes come
        from the GAN or the column model, whatever `methods_` says, and are not filtered.

        Parameters
        ----------
        path : path-like
            The file, usually ``.onnx``.
        part : {"generator"}, default="generator"
            A sampler has no other part that can be exported.
        X : ignored
            For the same interface as that of detectors.
        context : mapping, optional
            JSON values to store with the model.
        **options
            `precision` and `bank`, whose only value is "fp32" here.

        Returns
        -------
        report : ExportReport
            Size, opset, and the differences from torch's results.

        Raises
        ------
        ExportError
            If the sampler was fitted without a generator, another part is asked for, or the file
            gives other results than torch.
        ParameterError
            If an option has a value that is not allowed, or ONNX Runtime is not installed.
        """
        return super().export_onnx(path, part=part, X=X, context=context, **options)

    def _exportable(self, part: str) -> ExportableModel:
        name, networks, columns = type(self).__name__, self.networks_, self._model().columns
        if part != "generator":
            raise ExportError(
                f"part={shown(part)}: a {name} does not score rows; "
                "part='generator' can be exported"
            )
        if networks is None and columns is None:
            raise ExportError(
                "part='generator': this sampler was fitted without a generator; "
                "method='gan' and method='columns' train one"
            )
        return ExportableModel(
            method=name,
            codec=self.codec_,
            networks=networks,
            trained=self.trained_,
            n_features_in=self.n_features_in_,
            feature_names_in=self._feature_names(),
            context=self._own_context(),
            sample=self.sample,
            classes=self.classes_,
            shares=self.model_.shares.tolist(),
            columns=columns,
        )

    @property
    def codec_(self) -> Codec:
        """The fitted encoder and decoder of rows or images."""
        return self._model().codec

    @property
    def networks_(self) -> Networks | None:
        """The trained networks; None if no GAN was trained."""
        return self._model().networks

    @property
    def class_counts_(self) -> dict[Any, int]:
        """Number of real rows of each class that new rows are made from."""
        return self._model().counts

    @property
    def methods_(self) -> dict[Any, str]:
        """The source of each class's new rows."""
        return self._model().methods

    @property
    def spread_(self) -> float:
        """The spread of the rows of `fit_resample`: `spread`, or what cross-validation chose."""
        return self._model().spread

    @property
    def sample_spread_(self) -> float:
        """The spread of the rows of `sample`."""
        return self._model().sample_spread

    @property
    def synthetic_share_(self) -> float | None:
        """`synthetic_share`, or the value chosen by cross-validation."""
        return self._model().synthetic_share

    @property
    def symmetry_(self) -> str | None:
        """`symmetry`, or the value chosen by cross-validation."""
        return self._model().symmetry

    @property
    def relations_(self) -> list[str]:
        """The relations between columns that new rows obey, in words."""
        columns = self._model().columns
        return [] if columns is None else columns.relations.describe()

    @property
    def tuning_(self) -> list[Trial] | None:
        """The results of cross-validation."""
        return self._model().tuning

    @property
    def critic_auc_(self) -> tuple[float, float] | None:
        """Two-sample AUROC of the rows of `sample` before and after the filter "critic".

        Gradient boosting tells the rows from held-out ones; 0.5 is chance. None without this
        filter, or if `method` is not "columns". It is computed when it is asked for.
        """
        return self._model().critic_auc()

    def _model(self) -> SamplerModel:
        if "model_" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted")
        return self.model_

    def _labels(self, wanted: Mapping[int, int]) -> NDArray[Any]:
        """Return the classes of rows in the numbers `wanted` of each class."""
        labels: NDArray[Any] = np.repeat(self.classes_[list(wanted)], list(wanted.values()))
        return labels
