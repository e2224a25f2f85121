"""Train on a folder of good parts on the command line, then sort new photographs by score.

python examples/folder_of_images.py [DIRECTORY]
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

QUICK = ["--steps", "50", "--set", "encoder_steps=50", "--set", "pretext_steps=200"]


def main(directory: Path) -> None:
    parts = directory / "parts"
    write_photographs(parts)

    model, scores = directory / "parts.augan", directory / "scores.csv"
    augan("fit", parts, "--out", model, "--threads", 1, *QUICK)
    augan("score", model, parts, "--out", scores)

    found = pd.read_csv(scores).sort_values("anomaly_score", ascending=False)
    print(found.head(5).to_string(index=False))


def write_photographs(folder: Path) -> None:
    """Write digits as PNG files in MVTec's layout: sevens are good, ones are defects."""
    digits = load_digits()
    for i, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        if digit in (1, 7):
            kind = {1: "one", 7: "good"}[digit]
            place = folder / ("train" if digit == 7 and i < 1200 else "test") / kind
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image * 15).astype("uint8")).save(place / f"{i:04d}.png")


def augan(*words: object) -> None:
    """Run the command line that is installed beside this Python."""
    command = Path(sys.executable).with_name("augan")
    subprocess.run([command, *map(str, words)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
