"""Fill holes in digits, interpolate from a three to an eight, and edit ones into sevens.

    python latent_space.py [--out DIR]

Writes filled.png, way.png and edited.png, and prints the mean error of the filled pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from augan import FAnoGAN
from augan.pictures import save_grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path())
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    images = np.clip(16 * digits.images, 0, 255).astype(np.uint8)
    train, new, label = images[:1500], images[1500:], digits.target[1500:]
    model = FAnoGAN(scoring="paper", max_steps=1500, encoder_steps=1500, random_state=0).fit(train)

    hole = np.zeros((8, 8), dtype=bool)
    hole[3:6, 2:6] = True
    filled = model.inpaint(new, hole)
    true = new[:, hole].astype(float)
    off = np.abs(filled[:, hole] - true).mean()
    beside = new[:, 2:7, 1:7][:, ~hole[2:7, 1:7]].mean(axis=1, keepdims=True)
    print(f"filled pixels are off by {off:.0f}, the mean of those around by", end=" ")
    print(f"{np.abs(beside - true).mean():.0f} of 255")
    covered = np.where(hole, 255, new)
    save_grid(np.concatenate([part[:10] for part in (covered, filled, new)]), out / "filled.png")

    three, eight = (new[label == digit][:1] for digit in (3, 8))
    save_grid(model.interpolate(three, eight, 10), out / "way.png")

    either = np.isin(digits.target[:1500], (1, 7))
    sevens = model.direction(train[either], digits.target[:1500][either] == 7)
    ones = new[label == 1][:5]
    steps = [model.edit(ones, sevens, strength) for strength in np.linspace(0, 1.5, 6)]
    save_grid(np.stack(steps, axis=1).reshape(-1, 8, 8), out / "edited.png", columns=6)


if __name__ == "__main__":
    main()
