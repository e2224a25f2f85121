"""The threshold that `augan evaluate` flags rows with, chooses, and stores in a model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._models import is_onnx
from ._outputs import check_output
from ._scoring import flag_limit


@dataclass(frozen=True)
class AskedThreshold:
    """Options of the threshold, and the file for a copy of the model that has it."""

    fpr: float | None
    value: float | None
    objective: str | None
    cost_fn: float | None
    cost_fp: float | None
    out: Path | None

    def check(self, model: Path, *inputs: Path | None) -> None:
        """Raise for options that do not fit together, now rather than after the scoring.

        Raises
        ------
        ParameterError
            For such options, or a cost that cannot be.
        """
        from augan.exceptions import ParameterError

        given = {"--fpr": self.fpr, "--threshold": self.value, "--fit-threshold": self.objective}
        asked = [name for name, value in given.items() if value is not None]
        if self.objective is not None and len(asked) > 1:
            raise ParameterError(f"give one of {' and '.join(asked)}")
        self._check_costs()
        if self.out is None:
            return
        if not asked:
            raise ParameterError(f"--out {self.out}: needs --fit-threshold, --threshold or --fpr")
        if is_onnx(model):
            raise ParameterError(
                f"--out {self.out}: {model} is an exported file; set the threshold of the model "
                "file, and export that"
            )
        check_output(self.out, "--out", model, *inputs)

    def limit(self, estimator: Any) -> float | None:
        """Return the score above which rows are flagged; None if it is to be chosen by labels.

        Raises
        ------
        ParameterError
            If it is not finite.
        """
        from augan.exceptions import ParameterError

        if self.objective is not None:
            return None
        limit = flag_limit(estimator, self.fpr, self.value)
        if not math.isfinite(limit):
            raise ParameterError(f"--threshold {limit}: must be finite")
        return limit

    def fit(self, is_anomaly: Any, scores: Any) -> Any:
        """Return the threshold that suits labelled rows best."""
        from augan.evaluation import fit_threshold

        costs = {"cost_fn": self.cost_fn, "cost_fp": self.cost_fp}
        given = {name: cost for name, cost in costs.items() if cost is not None}
        return fit_threshold(is_anomaly, scores, self.objective, **given)

    def store(self, model: Path, limit: float, fitted: Any) -> None:
        """Write the copy of the model; its context says where the threshold comes from."""
        from augan.io.model_copy import copy_with_threshold

        assert self.out is not None
        origin = {"threshold": limit} | ({} if self.fpr is None else {"fpr": self.fpr})
        origin = origin if fitted is None else fitted.to_dict()
        copy_with_threshold(model, self.out, limit, {"threshold": origin})

    def _check_costs(self) -> None:
        from augan.exceptions import ParameterError

        costs = {"--cost-fn": self.cost_fn, "--cost-fp": self.cost_fp}
        for option, cost in costs.items():
            if cost is None:
                continue
            if self.objective != "cost":
                raise ParameterError(f"{option} {cost:g}: needs --fit-threshold cost")
            if not 0 <= cost <= 1e12:
                raise ParameterError(f"{option} {cost:g}: must be from 0 to 1e12")
        if self.cost_fn == self.cost_fp == 0:
            raise ParameterError("--cost-fn 0, --cost-fp 0: one of them must be above 0")
