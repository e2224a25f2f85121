"""`OnnxDetector`: an exported scorer behind scikit-learn's methods, without torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags

from augan.assessment import Assessment, Floats
from augan.codecs.drift import warn_of_drift
from augan.deploy.inputs import EXPLAIN, TARGET_FPR
from augan.deploy.raw import ImageForm, TableForm, form_of
from augan.deploy.session import Session
from augan.frames import like
from augan.inputs.reading import Data, read_like_training, with_any_input
from augan.scoring.rates import check_rate, warn_of_few


class OnnxDetector(OutlierMixin, BaseEstimator):
    """Scores rows or images with a file that ``export_onnx`` wrote; needs no torch.

    Parameters
    ----------
    path : path-like
        The file, of a whole scorer.
    providers : str or sequence of str, default="auto"
        Where it runs: "auto" (CUDA where there is a device, else the CPU with one notice), "cpu",
        "cuda", "tensorrt", or ONNX Runtime's own names.
    threads : int, default=None
        CPU threads; ``None`` takes as many as ONNX Runtime does.
    target_fpr : float, default=None
        Share of normal rows that may be flagged; ``None`` takes the model's own threshold.
    io_binding : bool, default=None
        Whether inputs and outputs are bound; ``None`` does so on a GPU. Strings cannot be.

    Attributes
    ----------
    threshold_, offset_ : float
        The `anomaly_score` above which, and the `score_samples` below which, a row is an anomaly.
    pixel_threshold_ : float
        Of images: the heat that 1 % of the pixels of normal images lie above.
    n_features_in_ : int
        Columns, or pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, of a model that was fitted to a DataFrame.
    metadata_ : dict
        What the file says of itself.

    Examples
    --------
    >>> from augan import OnnxDetector
    >>> detector = OnnxDetector("fraud.onnx", providers="cpu")  # doctest: +SKIP
    >>> detector.predict(rows)  # doctest: +SKIP
    """

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

    def fit(self, X: Any = None, y: Any = None) -> OnnxDetector:
        """Open the file; the model is trained already and `X` is not looked at.

        Raises
        ------
        ModelFileError
            When the file cannot be read or is none of augan's scorers.
        ParameterError
            For a provider that there is not, or another wrong parameter.
        """
        self._session: Session | None = None
        self._opened()
        return self

    def assess(self, X: Any, *, explain: bool = False) -> Assessment:
        """Return all that one pass gives, as `FAnoGAN.assess` does."""
        self._opened()
        data = self._read(X)
        if isinstance(self._form, TableForm):
            warn_of_drift(self._form.columns, data)
        found = self._run(self._form.feeds(data), explain=explain)
        explanation = self._explanation(found, X) if explain else None
        names = self._opened().metadata["parts"]
        parts = pd.DataFrame(found["score_parts"].astype(np.float64), columns=names)
        scores = found["anomaly_score"].astype(np.float64)
        return Assessment(scores, found["p_value"], like(parts, X), explanation)

    def anomaly_score(self, X: Any) -> Floats:
        """Return scores (n,) of rows, higher = more abnormal."""
        return self.assess(X).anomaly_score

    def score_samples(self, X: Any) -> Floats:
        """Return the negated `anomaly_score` (n,): lower = more abnormal."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> Floats:
        """Return ``score_samples(X) - offset_`` (n,): below zero is an anomaly."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any, target_fpr: float | None = None) -> NDArray[np.int64]:
        """Return 1 for normal rows and -1 for anomalies, (n,); see `FAnoGAN.predict`."""
        if target_fpr is None:
            return np.where(self.decision_function(X) < 0, -1, 1)
        limit = self.threshold_at(target_fpr)
        return np.where(self.anomaly_score(X) > limit, -1, 1)

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Open the file, then predict (n,)."""
        return self.fit().predict(X)

    def p_value(self, X: Any) -> Floats:
        """Return conformal p-values (n,): how rare so high a score is among unseen normals."""
        return self.assess(X).p_value

    def score_parts(self, X: Any) -> Any:
        """Return what the score is made of, (n, heads), higher = more abnormal."""
        return self.assess(X).score_parts

    def explain(self, X: Any) -> Any:
        """Return where rows differ from normal ones: (n, columns), or heat (n, H, W)."""
        explanation = self.assess(X, explain=True).explanation
        assert explanation is not None
        return explanation

    def threshold_at(self, target_fpr: float) -> float:
        """Return the `anomaly_score` above which at most a share of new normal rows lies.

        As `FAnoGAN.threshold_at` does, with the same warning where the calibration rows are few.
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
        """The heat of `explain` that 1 % of the pixels of normal images lie above."""
        found = self._opened().metadata.get("pixel_threshold")
        if found is None:
            raise AttributeError("pixel_threshold_: a model of tables has none")
        return float(found)

    @property
    def metadata_(self) -> dict[str, Any]:
        """What the file says of itself."""
        return self._opened().metadata

    @property
    def codec_(self) -> TableForm | ImageForm:
        """What rows look like: columns, or shape and dtype of images."""
        self._opened()
        return self._form

    @property
    def n_calibration_(self) -> int:
        """How many unseen normal rows the p-values come from."""
        return int(self._opened().metadata["n_calibration"])

    @property
    def training_rows_(self) -> dict[str, Any] | None:
        """Hashes of rows that the model was trained on, of files that hold them."""
        found: dict[str, Any] | None = self._opened().metadata["context"].get("training_rows")
        return found

    def _opened(self) -> Session:
        """Return the session: opened when first needed, and again for other parameters."""
        if self.target_fpr is not None:
            check_rate(self.target_fpr)
        asked = self._asked()
        session: Session | None = getattr(self, "_session", None)
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
        """Return the parameters that a session is opened with."""
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
        return read_like_training(X, self, images=isinstance(self._form, ImageForm))

    def _explanation(self, found: dict[str, NDArray[Any]], X: Any) -> Any:
        if isinstance(self._form, ImageForm):
            return found["heatmap"].astype(np.float64)
        explanation = found["explanation"].astype(np.float64)
        return like(pd.DataFrame(explanation, columns=list(self._form.labels)), X)

    def __sklearn_is_fitted__(self) -> bool:
        return True  # the file is

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_session", "_opened_as"):  # opened again where it is needed
            state.pop(name, None)
        return state

    def __sklearn_tags__(self) -> Tags:
        tags = with_any_input(super().__sklearn_tags__())
        tags.requires_fit = False
        return tags
