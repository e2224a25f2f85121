"""Writing a fitted estimator to an ONNX file."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from augan.estimators.saving import ModelFileMixin
from augan.models.exportable import ExportableModel

if TYPE_CHECKING:
    from augan.deploy.export import ExportReport


class ExportMixin(ModelFileMixin):
    """Mixin of estimators that can be exported; subclasses define `_exportable`."""

    def export_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        part: str = "scorer",
        X: Any = None,
        context: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> ExportReport:
        """Write one ONNX file that scores raw rows, or generates rows, without torch.

        Parameters
        ----------
        path : path-like
            The file, usually ``.onnx``.
        part : {"scorer", "generator", "encoder"}, default="scorer"
            Raw rows to scores, p-values and decisions; latents to rows; raw rows to latents.
        X : as in `fit`, optional
            Normal rows that were not trained on. The file and torch are compared on them, and on
            generated rows. Required for lower precisions.
        context : mapping, optional
            JSON values to store with the model.
        **options
            `precision` and `bank`, as in `augan.deploy.export.export_onnx`.

        Returns
        -------
        report : ExportReport
            Size, opset, and the differences from torch's results.

        Raises
        ------
        ExportError
            If the model cannot be exported, or the file gives other results than torch.
        ParameterError
            If an argument has a value that is not allowed, or ONNX Runtime is not installed.
        """
        from augan.deploy.export import export_onnx

        check_is_fitted(self, "model_")
        model = self._exportable(part)
        return export_onnx(model, path, part=part, X=X, context=context, **options)

    @abstractmethod
    def _exportable(self, part: str) -> ExportableModel:
        """Return what an export of a part needs."""
