"""Quality of GANs on Fashion-MNIST, in the features of a classifier of its images.

Quality: augan's four losses and the model of PyTorch's DCGAN tutorial (at 32 pixels), trained for
equal times on all classes. Switches: options that stabilise "dcgan", in 800 steps. Classes: the
accuracy of a classifier of real images on generated ones, and that of a classifier trained on
generated images on real test images. Filling: inpainting of 8 x 8 holes in test images, compared
with the mean of the pixels around, the smoothest filling and the mean of the five nearest training
images. Transfer: steps to a kernel distance on the classes five to nine, from scratch and, with a
third of the steps, from a model of the other classes. Each model is a line of
results/generative.jsonl; a stopped run can be continued.

    python benchmarks/generative.py --data DIR [--what quality switches ...] [--variants hinge ...]
        [--minutes 15]
    python benchmarks/generative.py --report
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dcgan_tutorial import Tutorial
from generative_report import STEPS, report
from measuring import timed
from numpy.typing import NDArray
from rare_images import classify
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads

from augan import AnoGAN, FAnoGAN, GANSampler
from augan.blending import blend
from augan.evaluation import evaluate_generator
from augan.evaluation.feature_extractor import LearnedFeatureExtractor
from augan.evaluation.frechet import kernel_distance

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

KEY = ("what", "variant", "minutes", "threads", "seed")
GANS = ("gan", "dcgan", "wgan-gp", "hinge")
TUTORIAL = "DCGAN tutorial"
SWITCHES: dict[str, dict[str, Any]] = {  # parameters that differ from dcgan's defaults
    "as by default": {},
    "no average (EMA)": {"ema_decay": 0.0},
    "gradients clipped at 1": {"gradient_clip": 1.0},
    "linear schedule": {"schedule": "linear"},
    "constant rates": {"schedule": "constant"},
    "no spectral norm": {"spectral_norm": False},
    "R1 in its place": {"spectral_norm": False, "r1": 1.0},
    "DiffAugment": {"diff_augment": True},
}
QUICK = {"lr_generator": 2e-3, "lr_critic": 4e-3, "schedule": "linear"}  # twice the default rates
CLASSES: dict[str, dict[str, Any]] = {  # a sampler's parameters
    "dcgan": {},
    "dcgan, no DiffAugment": {"diff_augment": False},
    "dcgan, no DiffAugment, twice the rates": {"diff_augment": False, **QUICK},
}
TRANSFERS: dict[str, dict[str, Any]] = {"dcgan": {}, "dcgan, twice the rates": QUICK}
VARIANTS = {
    "quality": (*GANS, TUTORIAL),
    "switches": tuple(SWITCHES),
    "classes": tuple(CLASSES),
    "filling": ("dcgan",),
    "transfer": tuple(TRANSFERS),
}
ENDLESS = 10**7  # steps; time ends the training first
N_COMPARED, N_MADE, N_FILLED = 10_000, 60_000, 1000
HOLE = 8
FIGURES = ("fid", "kid", "classifier_score", "precision", "recall", "density", "coverage")


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "generative.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), measure, key=KEY, fresh=arguments.fresh)
    print(report(read(file, KEY)))


def measure(job: Result, folder: Path) -> list[Result]:
    """Return the figures of one model."""
    with np.load(folder / "fashion_mnist" / "fashion_mnist.npz") as data:
        X, y = data["x_train"], data["y_train"].astype(np.int64)
        test, y_test = data["x_test"], data["y_test"].astype(np.int64)
    seconds, seed, variant = 60 * job["minutes"], job["seed"], job["variant"]
    if job["what"] in ("quality", "switches"):
        training, model = timed("fit", lambda: _trained(variant, X, seconds, seed))
        found = _quality(model, X, y, seed) | training
        if job["what"] == "quality":
            few = evaluate_generator(model, X, y, n_samples=1000, random_state=seed)
            found["classes_of_1000"] = few.n_found
        return [found]
    if job["what"] == "classes":
        return [_classes(CLASSES[variant], (X, y, test, y_test), seconds, seed)]
    if job["what"] == "filling":
        return [_filling(variant, X, test, seconds, seed)]
    return [_transfer(TRANSFERS[variant], X, y, seconds, seed)]


def _trained(variant: str, X: Images, seconds: float, seed: int) -> Any:
    """Return a model whose generator and critic were trained for some time or steps."""
    if variant == TUTORIAL:
        return Tutorial(seconds, seed).fit(X)
    if variant in SWITCHES:
        given = {"max_steps": STEPS, **_to_the_last_step(seed), **SWITCHES[variant]}
        return FAnoGAN("dcgan", **given).fit(X)
    return AnoGAN(variant, **_lasting(seconds, seed), scoring="paper").fit(X)


def _to_the_last_step(seed: int) -> Result:
    """Return the parameters of a GAN that trains for `max_steps`; the encoder is not used."""
    return {
        "scoring": "paper",
        "encoder_steps": 1,
        "n_iter_no_change": None,
        "random_state": seed,
    }


def _lasting(seconds: float, seed: int) -> Result:
    """Return the parameters of a GAN that trains for `seconds`."""
    return {
        "max_steps": ENDLESS,
        "max_time": seconds,
        "n_iter_no_change": None,
        "random_state": seed,
    }


def _quality(model: Any, X: Images, y: Labels, seed: int) -> Result:
    report = evaluate_generator(model, X, y, n_samples=N_COMPARED, random_state=seed)
    figures = {name: report.figures[name]["new"] for name in FIGURES}
    real = {f"real_{name}": report.figures[name]["real"] for name in FIGURES}
    return (
        figures | real | {"classifier_accuracy": report.classifier_accuracy, "steps": _steps(model)}
    )


def _steps(model: Any) -> int:
    if isinstance(model, Tutorial):
        return model.n_steps_
    return int(model.history_.column("critic_loss", "gan")[0][-1])


def _classes(given: Result, data: tuple[Any, ...], seconds: float, seed: int) -> Result:
    X, y, test, y_test = data
    lasting = {"method": "gan", "gan": "dcgan", **_lasting(seconds, seed)}
    sampler = GANSampler(**lasting, **given).fit(X, y)
    made, labels = sampler.sample(dict.fromkeys(range(10), N_MADE // 10), random_state=seed)
    taken_for = classify(X, y, made, steps=5000, seed=seed)
    told = classify(made, labels.astype(np.int64), test, steps=5000, seed=seed)
    return {
        "agreement": float((taken_for == labels).mean()),
        "accuracy_of_made": float((told == y_test).mean()),
        "steps": _steps(sampler),
    }


def _filling(gan: str, X: Images, test: Images, seconds: float, seed: int) -> Result:
    """Return the mean absolute error of the pixels in holes, of 255."""
    given = _lasting(seconds, seed)
    model = FAnoGAN(gan, scoring="paper", encoder_steps=ENDLESS, **given).fit(X)
    random = np.random.default_rng(seed)
    images = test[random.permutation(len(test))[:N_FILLED]]
    holes, around = np.zeros((2, *images.shape), dtype=bool)
    for hole, ring, (top, left) in zip(
        holes, around, random.integers(2, 28 - HOLE - 2, (N_FILLED, 2)), strict=True
    ):
        ring[top - 1 : top + HOLE + 1, left - 1 : left + HOLE + 1] = True
        hole[top : top + HOLE, left : left + HOLE] = True
    around &= ~holes
    ring_mean = np.array([image[ring].mean() for image, ring in zip(images, around, strict=True)])
    fillings = {
        "augan": model.inpaint(images, holes),
        "mean_around": np.broadcast_to(ring_mean[:, None, None], images.shape),
        "smoothest": blend(images, np.zeros(images.shape), holes),
        "five_nearest": _nearest_mean(images, holes, X),
    }
    return {
        name: float(np.abs(filled[holes].astype(float) - images[holes]).mean())
        for name, filled in fillings.items()
    }


def _nearest_mean(images: Images, holes: NDArray[np.bool_], X: Images) -> NDArray[Any]:
    """Return the mean of the five training images nearest to each in the known pixels."""
    train = torch.from_numpy(X.reshape(len(X), -1)).float()
    squares = train.square()
    means = []
    for image, hole in zip(images, holes, strict=True):
        known = torch.from_numpy(~hole.ravel()).float()
        row = torch.from_numpy(image.ravel()).float() * known
        distances = squares @ known - 2 * train @ row
        means.append(train[distances.topk(5, largest=False).indices].mean(dim=0).numpy())
    return np.stack(means).reshape(images.shape)


def _transfer(params: Result, X: Images, y: Labels, seconds: float, seed: int) -> Result:
    """Return the kernel distances by step, from scratch and from a model of the other classes.

    The model of the other classes has an encoder; `params` are those of the two others. The
    fine-tuned model has a third of the steps, so that its learning rates fall faster.
    """
    low, high = X[y < 5], X[y > 4]
    extractor = LearnedFeatureExtractor(high, y[y > 4] - 5, seed)
    real = extractor.extract(high[:5000])[0]
    found: Result = {}
    with tempfile.TemporaryDirectory() as folder:
        former = Path(folder) / "low.augan"
        lasting = {"encoder_steps": ENDLESS, "scoring": "paper", **_lasting(seconds, seed)}
        FAnoGAN("dcgan", **lasting).fit(low).save(former)
        for name, path, steps in (
            ("scratch", None, STEPS),
            ("fine_tuned", str(former), STEPS // 3),
        ):
            watcher = Watcher(extractor, real, seed)
            given = _to_the_last_step(seed) | params | {"max_steps": steps, "callbacks": [watcher]}
            FAnoGAN("dcgan", **given, warm_start_from=path).fit(high)
            found[f"kid_{name}"] = watcher.distances
    return found


class Watcher:
    """A callback that measures the generator's images every 50 steps."""

    def __init__(self, extractor: LearnedFeatureExtractor, real: NDArray[Any], seed: int) -> None:
        self.extractor, self.real, self.seed = extractor, real, seed
        self.distances: list[float] = []

    def __call__(self, row: Result) -> None:
        """Ignore the figures."""

    def begin(self, history: Any) -> None:
        """Ignore the start."""

    def look(self, draw: Any) -> None:
        """Measure the kernel distance of 2,000 images."""
        features = self.extractor.extract(draw(2000))[0]
        self.distances.append(kernel_distance(self.real, features, self.seed)[0])

    def close(self) -> None:
        """Ignore the end."""


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Path]]:
    for what in arguments.what:
        for variant in arguments.variants or VARIANTS[what]:
            yield (
                dict(
                    zip(KEY, (what, variant, arguments.minutes, arguments.threads, 0), strict=True)
                ),
                arguments.data,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_options(parser)
    parser.add_argument("--what", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--minutes", type=float, default=15, help="of training, each model")
    every = dict.fromkeys(name for names in VARIANTS.values() for name in names)
    parser.add_argument("--variants", nargs="+", choices=every, metavar="VARIANT")
    return parse(parser)


if __name__ == "__main__":
    run(main)
