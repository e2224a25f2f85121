"""`OnnxScorer`: an exported scorer, without torch and without scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.assessment import Assessment
from augan.codecs.drift import warn_of_drift
from augan.deploy.inputs import EXPLAIN, SURPRISE, TARGET_FPR
from augan.deploy.raw import ImageForm, TableForm, form_of
from augan.deploy.session import Session
from augan.exceptions import DataError
from augan.frames import like
from augan.inputs.reading import Data, read_like_training
from augan.scoring.rates import check_rate, pixel_threshold, warn_of_few


class OnnxScorer:
    """Runs a file written by ``export_onnx``; `OnnxDetector` is the same as an estimator.

    scikit-learn, which takes longer to import than a small table to score, is not needed.
    Parameters and attributes are those of `OnnxDetector`.
    """

    _session: Session | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        providers: str | Sequence[str] = "auto",
        threads: int | None = None,
        target_fpr: float | None = None,
        io_binding: bool | None = None,
    ) -> None:
        self.path = path
        self.providers = providers
        self.threads = threads
        self.target_fpr = target_fpr
        self.io_binding = io_binding

    def open(self) -> Self:
        """Open the file.

        Raises
        ------
        ModelFileError
            If the file cannot be read or is not a scorer exported by augan.
        ParameterError
            If a parameter has an invalid value, or a provider is not available.
        """
        self._session = None
        self._opened()
        return self

    def assess(self, X: Any, *, explain: bool = False) -> Assessment:
        """Return scores, p-values, score parts and explanations, computed in one pass.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.
        explain : bool, default=False
            Whether to explain as well, as `explain` does.

        Returns
        -------
        assessment : Assessment
            What `anomaly_score`, `p_value`, `score_parts`, `explain` and, with its head, `surprise`
            return.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        ModelFileError
            If the file cannot be read or run.
        ParameterError
            If a parameter has an invalid value, or a provider is not available.
        """
        self._opened()
        data = self._read(X)
        if self._form.columns:
            warn_of_drift(self._form.columns, data)
        found = self._run(self._form.feeds(data), explain=explain)
        explanation = self._explanation(found, X) if explain else None
        surprise = like(self._form.explanation(found[SURPRISE]), X) if SURPRISE in found else None
        names = self._opened().metadata["parts"]
        parts = pd.DataFrame(found["score_parts"].astype(np.float64), columns=names)
        scores = found["anomaly_score"].astype(np.float64)
        return Assessment(scores, found["p_value"], like(parts, X), explanation, surprise)

    def threshold_at(self, target_fpr: float) -> float:
        """Return the `anomaly_score` that at most `target_fpr` of new normal rows exceed.

        With n calibration rows no rate below 1/(n + 1) can be guaranteed: then a
        `CalibrationWarning` is issued, and the threshold is extrapolated from the highest of their
        scores.

        Parameters
        ----------
        target_fpr : float
            False-positive rate, above 0 and below 1.

        Raises
        ------
        ParameterError
            If `target_fpr` is not above 0 and below 1.
        """
        rate = check_rate(target_fpr)
        warn_of_few(self.n_calibration_, rate)
        return float(self._run(self.codec_.probe(), rate)["threshold"])

    @property
    def threshold_(self) -> float:
        """The `anomaly_score` above which a row is an anomaly."""
        if self.target_fpr is not None:
            return self.threshold_at(self.target_fpr)
        return float(self._opened().metadata["threshold"])

    @property
    def offset_(self) -> float:
        """The negated `threshold_`."""
        return -self.threshold_

    @property
    def pixel_threshold_(self) -> float:
        """The value of `explain` that a share of the pixels of normal images exceed.

        The share is the model's `pixel_fpr`.

        Raises
        ------
        AttributeError
            If the model is one of tables.
        """
        found = self._opened().metadata.get("pixel_threshold")
        if found is None:
            raise AttributeError("pixel_threshold_: a model of tables has none")
        return float(found)

    def pixel_threshold_at(self, pixel_fpr: float) -> float:
        """Return the heat that a share `pixel_fpr` of the pixels of normal images exceed.

        Parameters
        ----------
        pixel_fpr : float
            The share, above 0 and below 1.

        Returns
        -------
        threshold : float
            Pixels of `explain` above it are a defect.

        Raises
        ------
        DataError
            If the model is one of tables, or was exported without these thresholds.
        ParameterError
            If `pixel_fpr` is not above 0 and below 1.
        """
        known = self._opened().metadata.get("pixel_thresholds")
        if known is None:
            raise DataError("pixel_threshold_at: the file has no thresholds of pixels")
        return pixel_threshold(known, pixel_fpr)

    @property
    def metadata_(self) -> dict[str, Any]:
        """The metadata in the file."""
        return self._opened().metadata

    @property
    def codec_(self) -> TableForm | ImageForm:
        """The columns of rows, or the shape and dtype of images."""
        self._opened()
        return self._form

    @property
    def n_calibration_(self) -> int:
        """Number of held-out normal rows that p-values are computed from."""
        return int(self._opened().metadata["n_calibration"])

    @property
    def training_rows_(self) -> dict[str, Any] | None:
        """Hashes of the training rows, if the file has them."""
        found: dict[str, Any] | None = self._opened().metadata["context"].get("training_rows")
        return found

    def _opened(self) -> Session:
        """Return the session; it is opened on first use, and again after parameters changed."""
        if self.target_fpr is not None:
            check_rate(self.target_fpr)
        asked = self._asked()
        session = self._session
        if session is not None and getattr(self, "_opened_as", None) == asked:
            return session
        session = Session(
            self.path,
            part="scorer",
            providers=self.providers,
            threads=self.threads,
            io_binding=self.io_binding,
        )
        metadata = session.metadata
        self._form = form_of(metadata)
        self.n_features_in_ = int(metadata["n_features_in"])
        self.__dict__.pop("feature_names_in_", None)
        if metadata["feature_names_in"]:
            self.feature_names_in_ = np.array(metadata["feature_names_in"], dtype=object)
        self._session, self._opened_as = session, asked
        return session

    def _asked(self) -> tuple[Any, ...]:
        """Return the parameters that a session depends on."""
        several = isinstance(self.providers, (list, tuple))
        providers = tuple(self.providers) if several else self.providers
        return str(self.path), providers, self.threads, self.io_binding

    def _run(
        self,
        feeds: dict[str, NDArray[Any]],
        target_fpr: float | None = None,
        *,
        explain: bool = False,
    ) -> dict[str, NDArray[Any]]:
        session = self._opened()
        asked: dict[str, NDArray[Any]] = {EXPLAIN: np.array(explain)}
        if target_fpr is not None:
            asked[TARGET_FPR] = np.array(target_fpr, dtype=np.float64)
        return session.run_in_chunks(feeds, int(session.metadata["chunk"]), asked)

    def _read(self, X: Any) -> Data:
        return read_like_training(X, self, self._form)

    def _explanation(self, found: dict[str, NDArray[Any]], X: Any) -> Any:
        explanation = self._form.explanation(found[self._form.explanation_name])
        return like(explanation, X) if isinstance(explanation, pd.DataFrame) else explanation
