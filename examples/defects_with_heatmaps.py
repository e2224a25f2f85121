"""Train on photographs of good parts, locate defects in new ones, and evaluate it.

python examples/defects_with_heatmaps.py [DIRECTORY]
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

QUICK = ["--steps", "20", "--set", "encoder_steps=20", "--set", "restoration_steps=50"]


def main(directory: Path) -> None:
    parts = directory / "roofs"
    write_photographs(parts)

    model, heatmaps = directory / "roofs.augan", directory / "heatmaps"
    augan("fit", parts, "--out", model, "--threads", 1, *QUICK)
    augan("score", model, parts, "--top", 5, "--heatmaps", heatmaps)
    page = directory / "roofs.html"
    augan("evaluate", model, parts, "--target", "folder", "--normal", "good", "--report", page)


def write_photographs(folder: Path) -> None:
    """Write parts of a roof in MVTec's layout, some with a scratch, and masks of the scratches."""
    random = np.random.default_rng(0)
    roof = load_sample_image("china.jpg")
    for place, n in (("train/good", 100), ("test/good", 15), ("test/scratch", 15)):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            top, left = random.integers(180, 188), random.integers(100, 108)
            part = roof[top : top + 96, left : left + 128] + random.normal(0, 4, (96, 128, 3))
            if "scratch" in place:
                mask = np.zeros(part.shape[:2], dtype=bool)
                down, across = random.integers(5, 60), random.integers(5, 110)
                mask[down : down + 30, across : across + 4] = True
                part[mask] = 255
                masks = folder / "ground_truth" / "scratch"
                masks.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(masks / f"{i:03d}_mask.png")
            Image.fromarray(part.clip(0, 255).astype(np.uint8)).save(
                folder / place / f"{i:03d}.png"
            )


def augan(*words: object) -> None:
    """Run the command line that is installed beside this Python."""
    command = Path(sys.executable).with_name("augan")
    subprocess.run([command, *map(str, words)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
