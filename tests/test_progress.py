"""What a fit shows: nothing by default, bars, lines, the logger, and its GAN's health."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from augan import AnoGAN, FAnoGAN, GANSampler
from augan.exceptions import ParameterError
from augan.training.monitor import History
from augan.training.progress import line_of, warn_of_health

from .conftest import QUICK

TINY: dict[str, Any] = {**QUICK, "max_steps": 50, "pretext_steps": 10, "encoder_steps": 10}
ROWS = np.random.default_rng(0).normal(size=(60, 2))


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_verbose_shows_a_fit_on_stderr_and_nothing_on_stdout(
    verbose: int, capsys: pytest.CaptureFixture[str]
) -> None:
    FAnoGAN(verbose=verbose, **TINY).fit(ROWS)
    shown = capsys.readouterr()
    assert shown.out == ""
    if verbose == 0:
        assert shown.err == ""
    if verbose == 2:
        assert any(line.startswith("gan 50/50, ") for line in shown.err.splitlines())
    if verbose == 1:
        assert "train gan" in shown.err


def test_verbose_changes_no_score() -> None:
    silent, shown = (FAnoGAN(verbose=v, **TINY).fit(ROWS) for v in (0, 2))
    assert np.array_equal(silent.anomaly_score(ROWS), shown.anomaly_score(ROWS))


@pytest.mark.parametrize("cls", [FAnoGAN, AnoGAN, GANSampler])
@pytest.mark.parametrize("verbose", [-1, 3, 1.5, True, "1", None])
def test_a_wrong_verbose_is_refused(cls: Any, verbose: Any) -> None:
    y = np.arange(60) % 3 == 0
    with pytest.raises(ParameterError, match=r"verbose=.*: must be 0, 1 or 2"):
        cls(verbose=verbose).fit(ROWS, y)


def test_the_logger_is_told_of_phases_and_measures(caplog: pytest.LogCaptureFixture) -> None:
    X = pd.DataFrame(ROWS, columns=["a", "b"])
    with caplog.at_level(logging.DEBUG, logger="augan"):
        few = {"max_steps": 10, "encoder_steps": 10, "width": 8, "random_state": 0}
        GANSampler(method="latent", verbose=0, **few).fit(X, np.arange(60) % 6 == 0)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert told[0] == "training phase 'gan': at most 10 steps"
    assert any(text.startswith("training phase 'encoder' ended: encoder 10/10") for text in told)
    assert any(record.levelno == logging.DEBUG for record in caplog.records)


def _history(*health: str) -> History:
    return History([{"phase": "gan", "health": words} for words in health])


@pytest.mark.parametrize(
    ("history", "warned"),
    [
        (_history("starting", "mode collapse: 41% of the generated rows are alike"), True),
        (_history("mode collapse: 41% of the generated rows are alike", "healthy"), False),
        (_history("starting"), False),
        (History([]), False),
    ],
)
def test_a_gan_that_ends_unhealthy_is_said_when_fit_ends(
    history: History, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_health(history)
    texts = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert bool(texts) == warned
    assert all("mode collapse: 41%" in text for text in texts)


def test_a_line_of_the_history_has_its_figures_and_words() -> None:
    row = {"phase": "gan", "step": 50, "total_steps": 100, "seconds": 3.2, "critic_loss": -0.123456}
    row |= {"coverage": 0.5, "health": "healthy"}
    assert line_of(row) == "gan 50/100, 3 s: critic_loss -0.123, coverage 0.5, healthy"


def test_progress_needs_no_torch() -> None:
    code = "import sys, augan.training.progress; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
