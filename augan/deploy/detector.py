"""`OnnxDetector`: an exported scorer behind scikit-learn's methods, without torch."""

from __future__ import annotations

from typing import Any

from sklearn.utils import Tags

from augan._sklearn import BaseEstimator
from augan.deploy.scorer import OnnxScorer
from augan.inputs.reading import with_any_input
from augan.outlier_mixin import AnomalyDetectorMixin


class OnnxDetector(OnnxScorer, AnomalyDetectorMixin, BaseEstimator):
    """Anomaly detector that runs a file written by ``export_onnx``, without torch.

    It has the methods of the detector that was exported.

    Parameters
    ----------
    path : path-like
        A file that was exported with ``part="scorer"``.
    providers : str or sequence of str, default="auto"
        Execution providers: "auto" (CUDA if there is a device, else the CPU, with one warning),
        "cpu", "cuda", "tensorrt", or ONNX Runtime's own names.
    threads : int, default=None
        CPU threads; ``None`` is ONNX Runtime's default.
    target_fpr : float, default=None
        False-positive rate: the largest share of new normal rows that may be flagged. ``None``
        is the threshold of the exported model.
    io_binding : bool, default=None
        Whether to use ONNX Runtime's I/O binding; ``None`` uses it on a GPU. It does not support
        columns of text.

    Attributes
    ----------
    threshold_, offset_ : float
        A row is an anomaly if its `anomaly_score` is above, or its `score_samples` below, these.
    pixel_threshold_ : float
        Models of images only: the value of `explain` that 1 % of the pixels of normal images
        exceed.
    n_features_in_ : int
        Number of columns, or of pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, if the model was fitted to a DataFrame.
    metadata_ : dict
        The metadata in the file.

    Examples
    --------
    >>> from augan import OnnxDetector
    >>> detector = OnnxDetector("fraud.onnx", providers="cpu")  # doctest: +SKIP
    >>> detector.predict(rows)  # doctest: +SKIP
    """

    def fit(self, X: Any = None, y: Any = None) -> OnnxDetector:
        """Open the file. The model is fitted already: `X` and `y` are ignored.

        Raises
        ------
        ModelFileError
            If the file cannot be read or is not a scorer exported by augan.
        ParameterError
            If a parameter has an invalid value, or a provider is not available.
        """
        return self.open()

    def __sklearn_is_fitted__(self) -> bool:
        return True  # the model in the file is fitted

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_session", "_opened_as"):  # opened again where it is needed
            state.pop(name, None)
        return state

    def __sklearn_tags__(self) -> Tags:
        tags = with_any_input(super().__sklearn_tags__())
        tags.requires_fit = False
        return tags
