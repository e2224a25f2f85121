"""Train on images of one digit, detect the others, and look at their reconstructions.

python examples/digit_images.py [DIRECTORY]
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import augan
from augan.pictures import save_grid, save_reconstructions


def main(directory: Path) -> None:
    data = load_digits()
    images, is_seven = data.images, data.target == 7
    train = np.flatnonzero(is_seven)[:120]
    test = np.setdiff1d(np.arange(len(images)), train)

    steps = {"max_steps": 200, "encoder_steps": 200, "pretext_steps": 200, "generator": True}
    watching = augan.RunDirectory(directory / "run", overwrite=True)  # curves, grids, a film
    detector = augan.FAnoGAN(**steps, random_state=0, callbacks=[watching]).fit(images[train])
    detector.save(directory / "sevens.augan")

    detector = augan.load(directory / "sevens.augan")
    scores = detector.anomaly_score(images[test])
    print(f"AUROC {roc_auc_score(~is_seven[test], scores):.3f}")

    shown = test[np.argsort(scores)[:: len(test) // 10]]
    save_reconstructions(
        images[shown],
        detector.reconstruct(images[shown]),
        detector.explain(images[shown]),
        directory / "reconstructions.png",
        labels=[str(digit) for digit in data.target[shown]],
    )
    save_grid(detector.sample(40, random_state=0), directory / "samples.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
