"""What a run directory holds, and what training says of its own health."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from augan_cli.app import app
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn
from typer.testing import CliRunner

from augan import FAnoGAN, GANSampler, RunDirectory
from augan.codecs.spec import Span, VectorSpec
from augan.exceptions import ParameterError, TrainingWarning
from augan.networks import build_networks
from augan.training.health import health
from augan.training.loop import Run, run_phase
from augan.training.monitor import near_duplicates, spread
from augan.training.phases import GANPhase
from augan.training.run_directory import mosaic
from augan.training.steps import TrainingConfig

DIGITS = np.clip(16 * load_digits().images, 0, 255).astype(np.uint8)
LABELS = load_digits().target
QUICK = {
    **{"encoder_steps": 1, "pretext_steps": 1, "heads": ("data_neighbors",), "n_folds": 2},
    **{"gan": "gan", "n_critic": 1, "width": 8, "random_state": 0},
}


def _watched(path, X=DIGITS[:300], **params):
    options = {name: params.pop(name) for name in ("resume", "overwrite") if name in params}
    given = {**QUICK, "max_steps": 100, "resume": options.get("resume", False), **params}
    return FAnoGAN(**given, callbacks=[RunDirectory(path, **options)]).fit(X)


def _metrics(path):
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_figures_curves_and_pictures(tmp_path):
    detector = _watched(tmp_path / "run")
    rows = _metrics(tmp_path / "run")
    assert [(r["phase"], r["step"]) for r in rows] == [
        (r["phase"], r["step"]) for r in detector.history_
    ]
    measured = rows[4]
    assert {"critic_loss", "coverage", "near_duplicates", "health"} <= set(measured)
    assert measured["critic_learning_rate"] > measured["generator_learning_rate"] > 0
    assert 0 < measured["seconds_per_step"] < 10
    grids = sorted((tmp_path / "run" / "grids").iterdir())
    assert [grid.name for grid in grids] == ["000050.png", "000100.png"]
    with Image.open(grids[0]) as picture:
        assert picture.size == (
            272,
            272,
        )  # 8 x 8 digits, four times as large, with a line around each
    with Image.open(tmp_path / "run" / "progress.gif") as film:
        assert film.n_frames == 2
    with Image.open(tmp_path / "run" / "curves.png") as curves:
        assert curves.width > 1000


def test_grids_are_of_the_same_latents_and_watching_changes_nothing(tmp_path):
    watched = _watched(tmp_path / "one", max_steps=50)
    _watched(tmp_path / "two", max_steps=50)
    alone = FAnoGAN(**QUICK, max_steps=50).fit(DIGITS[:300])
    first, again = (
        (tmp_path / name / "grids" / "000050.png").read_bytes() for name in ("one", "two")
    )
    assert first == again
    np.testing.assert_array_equal(
        watched.anomaly_score(DIGITS[:20]), alone.anomaly_score(DIGITS[:20])
    )


def test_a_grid_takes_any_images():
    random = np.random.default_rng(0)
    assert mosaic(random.normal(size=(3, 40, 30))).shape == (42, 8 * 32)
    assert mosaic(random.integers(0, 256, (9, 40, 30, 3)).astype(np.uint8)).shape == (84, 256, 3)
    assert mosaic(np.zeros((1, 8, 8, 1))).max() == 128  # the lines, and nothing else


@pytest.mark.slow  # by default of images: the tests above
def test_a_table_has_curves_and_no_pictures(tmp_path):
    _watched(tmp_path / "run", load_breast_cancer().data[:200], max_steps=50)
    assert not list((tmp_path / "run" / "grids").iterdir())
    assert not (tmp_path / "run" / "progress.gif").exists()
    assert (tmp_path / "run" / "curves.png").exists()


def test_a_directory_with_a_run_is_resumed_or_overwritten_but_never_mixed(tmp_path):
    _watched(tmp_path / "run", max_steps=60)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(
        ParameterError, match=r"run: holds a run already \(metrics.jsonl\); resume it"
    ):
        RunDirectory(tmp_path / "run")
    _watched(tmp_path / "run", max_steps=50, overwrite=True)
    assert len(list((tmp_path / "run" / "grids").iterdir())) == 1
    assert max(row["step"] for row in _metrics(tmp_path / "run")) == 50
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="file: is a file"):
        RunDirectory(tmp_path / "file")


@pytest.mark.slow  # by default without a directory: test_training, test_interrupts
def test_a_stopped_run_goes_on_in_its_directory(tmp_path):
    whole = _watched(tmp_path / "whole", max_steps=110)
    kept = {"checkpoint": str(tmp_path / "c"), "checkpoint_interval": 0.0}

    class Stop:
        def __call__(self, row):
            if row["phase"] == "gan" and row["step"] == 70:
                raise KeyboardInterrupt

    stopped = RunDirectory(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        FAnoGAN(**QUICK, **kept, max_steps=110, callbacks=[stopped, Stop()]).fit(DIGITS[:300])
    assert max(row["step"] for row in _metrics(tmp_path / "run")) == 70
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:  # as if it were killed later
        file.write('{"phase": "gan", "step": 100}\n{"phase": "gan", "st')
    grids = tmp_path / "run" / "grids"
    (grids / "000100.png").write_bytes((grids / "000050.png").read_bytes())
    _watched(tmp_path / "run", max_steps=110, resume=True, **kept)
    assert len(_metrics(tmp_path / "whole")) == len(whole.history_)
    assert _figures(tmp_path / "run") == _figures(tmp_path / "whole")
    assert sorted(grid.name for grid in grids.iterdir()) == _names(tmp_path / "whole" / "grids")
    for name in (*(f"grids/{name}" for name in _names(grids)), "progress.gif"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def _figures(path):
    seconds = ("seconds", "seconds_per_step")
    return [{k: v for k, v in row.items() if k not in seconds} for row in _metrics(path)]


def _names(folder):
    return sorted(file.name for file in folder.iterdir())


def _row(step):
    return {"phase": "gan", "step": step, "critic_loss": 0.5}


def test_a_full_disk_ends_the_watching_and_not_the_training(tiny_disk):
    watching = RunDirectory(tiny_disk / "run")
    watching.drawn = np.inf  # no curves
    watching.begin([])
    with pytest.warns(TrainingWarning, match=r"run: nothing more is written there \(No space"):
        for step in range(2000):
            watching(_row(step))
    before = _metrics(tiny_disk / "run")  # no half line
    assert 10 < len(before) < 2000
    watching.look(lambda n: np.zeros((n, 8, 8)))  # without a word, and without a file
    watching.close()
    assert _names(tiny_disk / "run") == ["grids", "metrics.jsonl"]
    assert not _names(tiny_disk / "run" / "grids")


def test_a_disk_that_is_full_from_the_start_ends_no_training(tiny_disk, monkeypatch):
    (tiny_disk / "full").write_bytes(bytes(8_000))
    (tiny_disk / "fuller").write_bytes(bytes(4_000))
    with pytest.warns(TrainingWarning, match="nothing more is written there"):
        watching = RunDirectory(tiny_disk / "run")
        watching.begin([_row(step) for step in range(100)])
        watching(_row(100))
        watching.close()


def test_a_directory_that_cannot_be_made_is_an_error_before_training(tmp_path):
    watching = RunDirectory(tmp_path / "run")
    (tmp_path / "run").symlink_to("nowhere/else")
    with pytest.raises(OSError):
        watching.begin([])


@pytest.mark.slow  # by default by the command line: see below
def test_a_sampler_shows_a_class_after_the_other(tmp_path):
    few = np.flatnonzero(np.isin(LABELS, (0, 1)))[:200]
    sampler = GANSampler(
        method="gan", max_steps=60, encoder_steps=1, width=8, diff_augment=False, random_state=0,
        callbacks=[RunDirectory(tmp_path / "run")],
    ).fit(DIGITS[few], LABELS[few])  # fmt: skip
    assert sampler.networks_ is not None
    names = sorted(grid.name for grid in (tmp_path / "run" / "grids").iterdir())
    assert names == ["000050.png", "000060.png"]


def test_tensorboard_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ParameterError, match=r"pip install 'augan\[tensorboard\]'"):
        RunDirectory(tmp_path / "run", tensorboard=True)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"width": 16, "max_steps": 150}, "healthy", marks=pytest.mark.slow),
        pytest.param(
            {"lr_generator": 1e-3, "lr_critic": 2e-5, "n_critic": 5},
            "mode collapse: ",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"lr_generator": 0.02, "lr_critic": 0.1, "n_critic": 5, "width": 16, "max_steps": 50},
            "diverging: the critic's weights have grown",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"gan": "hinge", "lr_generator": 0.02, "lr_critic": 0.1, "n_critic": 5},
            "diverging: ",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["as it comes", "critic 50 times too slow", "100 times too fast", "hinge, too fast"],
)
def test_training_says_what_is_wrong_with_it(params, words):
    given = {**QUICK, "gan": "wgan-gp", "width": 32, "max_steps": 200, **params}
    detector = FAnoGAN(**given).fit(DIGITS)
    said = [row["health"] for row in detector.history_ if "health" in row]
    assert said[-1].startswith(words)


def test_a_generator_that_does_not_move_is_dead():
    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 6)

        def forward(self, z):
            return 0 * self.layer(z)

    spec = VectorSpec((Span("x", 0, 6, "identity"),))
    networks = build_networks(spec, latent_dim=3, width=16)
    networks.generator = Dead()
    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    run, config = Run(), TrainingConfig(batch_size=32, n_critic=1)
    phase = GANPhase(networks, rows[:150], rows[150:], config, 0)
    run_phase(phase, run, n_steps=100, time_share=1.0)
    assert run.history[-1]["health"].startswith("dead generator: no gradient")


def test_words_for_what_is_rarer():
    row = {
        **{"phase": "gan", "step": 90, "done": 0.9, "critic_loss": 1.0},
        **{"generator_gradient_norm": 1.0, "critic_accuracy_real": 0.9},
        **{"critic_accuracy_fake": 0.9, "coverage": 0.8, "near_duplicates": 0.0, "spread": 1.0},
        **{"critic_weight_growth": 1.2, "generator_weight_growth": 1.1},
    }
    assert health([row]) == "healthy"
    assert health([{**row, "done": 0.05}]) == "starting"
    assert health([row, {**row, "coverage": 0.3}]) == "losing modes: coverage fell from 80% to 30%"
    strong = {"coverage": 0.0, "critic_accuracy_real": 1.0, "critic_accuracy_fake": 1.0}
    assert health([{**row, **strong}]).startswith("critic too strong")
    weak = {"coverage": 0.0, "critic_accuracy_real": 0.5, "critic_accuracy_fake": 0.5}
    assert health([{**row, **weak}]).startswith("critic too weak")
    assert health([{**row, "spread": 1e-5}]).startswith("dead generator: all generated rows")
    event = "the gan diverged at step 80: went back to step 50 at 0.5 times the learning rate"
    back = {"phase": "gan", "step": 50, "done": 0.5, "event": event}
    assert health([row, back, row]).startswith("diverged at step 80: went back to step 50")
    assert health([row, back, row, row]) == "healthy"


def test_near_duplicates_are_counted_in_units_of_real_distances():
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 400, 8, generator=random)
    assert near_duplicates(real, fake) < 0.02
    fake[:100] = fake[0] + 1e-3 * torch.randn(100, 8, generator=random)
    assert near_duplicates(real, fake) == pytest.approx(0.25, abs=0.02)
    assert near_duplicates(1000 * real, 1000 * fake) == pytest.approx(0.25, abs=0.02)
    assert np.isnan(near_duplicates(real[:1], fake))


def test_spread_is_a_share_of_that_of_real_rows():
    real = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    assert spread(real, 0.5 * real + 3) == pytest.approx(0.5)
    assert np.isnan(spread(real[:1], real))


FIT = ("--steps", "60", "--set", "width=8", "--set", "encoder_steps=1", "--set", "pretext_steps=1")
FIT = (*FIT, "--set", "n_critic=1", "--set", "gan=gan")


def _fit(folder, *words, **how):
    source = folder / "digits.npz"
    np.savez(source, X=DIGITS[:200], y=LABELS[:200])
    out = "--out", str(folder / "m.augan"), "--threads", "1", "--set", "n_folds=2"
    return CliRunner().invoke(app, ["fit", str(source), *FIT, *out, *map(str, words)], **how)


@pytest.mark.slow
def test_the_command_line_writes_a_run_directory(tmp_path):
    run = tmp_path / "run"
    done = _fit(tmp_path, "--run-dir", run)
    assert done.exit_code == 0, done.stderr
    assert {file.name for file in run.iterdir()} == {
        *("metrics.jsonl", "curves.png", "grids", "progress.gif"),
    }
    refused = _fit(tmp_path, "--run-dir", run)
    assert refused.exit_code == 1
    (line,) = refused.stderr.splitlines()
    assert f"{run}: holds a run already" in line
    assert _fit(tmp_path, "--run-dir", run, "--overwrite").exit_code == 0
    alone = _fit(tmp_path, "--overwrite")
    assert (alone.exit_code, len(alone.stderr.splitlines())) == (1, 1)
    assert "--overwrite needs --run-dir" in alone.stderr


def test_a_sampler_of_the_command_line_is_watched_if_it_trains(tmp_path):
    run = tmp_path / "run"
    runner = CliRunner()
    np.savez(tmp_path / "digits.npz", X=DIGITS[:200], y=LABELS[:200])
    words = [
        "fit-sampler",
        tmp_path / "digits.npz",
        "--target",
        "y",
        "--out",
        tmp_path / "m.augan",
        "--run-dir",
        run,
    ]
    done = runner.invoke(app, [str(word) for word in (*words, "--threads", "1")])
    assert done.exit_code == 0, done.stderr
    assert "no network was trained" in done.stderr  # new images are deformed ones
    quick = ["--set", "method=gan", "--set", "width=8", "--set", "encoder_steps=1", "--steps", "50"]
    done = runner.invoke(app, [str(word) for word in (*words, *quick, "--threads", "1")])
    assert done.exit_code == 0, done.stderr
    assert (run / "grids" / "000050.png").exists()


def test_the_terminal_shows_figures_below_the_bars():
    from rich.console import Console

    from augan.training.progress import TrainingDisplay

    console = Console(force_terminal=True, width=100, record=True)
    with TrainingDisplay(console, disable=False) as display:
        display.add_task("train gan", total=100, note="")
        figures = {"critic_loss": -1.25, "generator_loss": 0.5, "coverage": 0.75}
        display.show({"phase": "gan", "health": "healthy", "seconds_per_step": 0.02, **figures})
        display.show({"phase": "encoder", "health": "not this"})
        display.refresh()
        for part in display.get_renderables():
            console.print(part)
    text = console.export_text()
    assert "healthy" in text and "-1.25" in text and "0.75" in text and "20 ms" in text
    assert "not this" not in text


def test_a_dry_run_says_what_would_be_trained_and_leaves_nothing(tmp_path):
    run = tmp_path / "run"
    done = _fit(tmp_path, "--dry-run", "--run-dir", run, "--steps", "123")
    assert done.exit_code == 0, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"digits.npz"}
    facts = [line.split() for line in done.stdout.splitlines()]
    assert ["rows", "200"] in facts and ["shape", "1,", "8,", "8"] in facts
    assert ["batch", "size", "64"] in facts and ["steps", "gan:", "123"] in facts
    words = ["fit-sampler", str(tmp_path / "digits.npz"), "--target", "y", *FIT[:4]]
    words += [
        "--set",
        "method=gan",
        "--out",
        str(tmp_path / "m.augan"),
        "--dry-run",
        "--threads",
        "1",
    ]
    sampler = CliRunner().invoke(app, [*words, "--threads", "1"])
    assert sampler.exit_code == 0, sampler.stderr
    assert "GANSampler" in sampler.stdout and "gan: 60" in sampler.stdout


def test_a_plan_estimates_the_time_of_a_fit():
    detector = FAnoGAN(**{**QUICK, "encoder_steps": 30, "pretext_steps": 30}, max_steps=100)
    facts = detector.dry_run(DIGITS[:300])
    assert not hasattr(detector, "history_")
    assert set(facts["steps"]) == {"gan", "encoder"}  # no head asks for a pretext network
    detector.fit(DIGITS[:300])
    sizes = {
        name: sum(p.numel() for p in m.parameters())
        for name, m in detector.networks_.modules().items()
    }
    assert facts["parameters"] == sizes
    taken = detector.history_[-1]["seconds"]
    assert taken / 4 < facts["seconds"]["training"] < 4 * taken  # machines have other work
    short = FAnoGAN(**QUICK, max_steps=300, max_time=0.5).dry_run(DIGITS[:300])
    assert short["seconds"]["training"] <= 0.5
