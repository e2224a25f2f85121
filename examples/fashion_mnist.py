"""A GAN of clothes, from loading to ONNX: train, watch, evaluate, sample, score, export.

    python fashion_mnist.py [--minutes 15] [--download DIR] [--out DIR]

Trains on all clothes but bags, and scores bags. 5,000 images are here; --download takes all 60,000
of Fashion-MNIST (Xiao et al. 2017). Writes the run, clothes.png, clothes.augan and clothes.onnx.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from torchvision.datasets import FashionMNIST

from augan import FAnoGAN, OnnxDetector, RunDirectory
from augan.evaluation import evaluate_generator
from augan.pictures import save_grid

BAG, SAMPLE = 8, Path(__file__).parent / "fashion_mnist" / "sample.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--download", type=Path)
    parser.add_argument("--out", type=Path, default=Path("fashion"))
    asked = parser.parse_args()

    if asked.download:  # load: bytes (n, 28, 28) as they are; the model scales them to -1 ... 1
        whole = FashionMNIST(str(asked.download), download=True)
        images, labels = whole.data.numpy(), whole.targets.numpy()
    else:
        images, labels = (np.load(SAMPLE)[name] for name in ("images", "labels"))
    unseen, normal = np.arange(len(labels)) % 12 == 0, labels != BAG
    real = normal & ~unseen

    watch = RunDirectory(asked.out / "run", overwrite=True)  # curves.png, progress.gif, grids/
    model = FAnoGAN("hinge", max_steps=10**6, encoder_steps=10**6, n_iter_no_change=None)
    model.set_params(max_time=60 * asked.minutes, callbacks=[watch], random_state=0)
    model.fit(images[real])
    print("the GAN, at last:", model.history_.column("health", "gan")[1][-1])

    report = evaluate_generator(model, images[real], labels[real], n_samples=5000)
    for figure in ("fid", "kid", "precision", "coverage"):  # in features of an own classifier
        print(figure, {kind: round(value, 3) for kind, value in report.figures[figure].items()})
    save_grid(model.sample(100), asked.out / "clothes.png", columns=20)

    scores = model.anomaly_score(images[unseen])
    print(f"AUROC of bags among unseen clothes: {roc_auc_score(~normal[unseen], scores):.3f}")
    model.save(asked.out / "clothes.augan")
    print(model.export_onnx(asked.out / "clothes.onnx", X=images[unseen]))
    flags = OnnxDetector(asked.out / "clothes.onnx").predict(images[unseen]) == -1
    print(f"{flags[~normal[unseen]].mean():.0%} of bags flagged, without torch")


if __name__ == "__main__":
    main()
