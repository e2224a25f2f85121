"""Fine-tune a model of the digits 0 to 4 to 5 to 9; use its features with few labels.

    python fine_tuning.py

Prints the sliced Wasserstein distance of new digits to held-out ones, for the fine-tuned model and
for one trained from scratch for as many steps; and the accuracy of a classifier of the critic's
features and of pixels.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from augan import CriticFeatures, FAnoGAN


def main() -> None:
    digits = load_digits()
    images = np.clip(16 * digits.images, 0, 255).astype(np.uint8)
    label = digits.target
    given = {"gan": "dcgan", "scoring": "paper", "random_state": 0}

    with tempfile.TemporaryDirectory() as folder:
        former = Path(folder) / "low.augan"
        FAnoGAN(max_steps=800, encoder_steps=400, **given).fit(images[label < 5]).save(former)

        high, y = images[label > 4], label[label > 4]
        for name, path in (("from scratch", None), ("fine-tuned", former)):
            model = FAnoGAN(max_steps=150, encoder_steps=150, warm_start_from=path, **given)
            distances = model.fit(high).history_.column("held_out_loss", "gan")[1]
            print(f"150 steps {name}: distance {distances[-1]:.3f}")

        few = np.concatenate([np.flatnonzero(y == digit)[:10] for digit in range(5, 10)])
        others = np.setdiff1d(np.arange(len(y)), few)
        for name, *first in (("pixels",), ("the critic's features", CriticFeatures(former))):
            classifier = make_pipeline(*first, StandardScaler(), LogisticRegression(max_iter=2000))
            seen = high if first else high.reshape(len(high), -1)
            accuracy = classifier.fit(seen[few], y[few]).score(seen[others], y[others])
            print(f"ten labels a class, {name}: accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
