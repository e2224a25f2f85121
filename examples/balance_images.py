"""Balance two rare classes of images, and train a classifier on the result.

python examples/balance_images.py
"""

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from augan import GANSampler

RARE = [4, 8]


def main() -> None:
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    X_train, X_test, y_train, y_test = train_test_split(
        images, digits.target, test_size=0.5, stratify=digits.target, random_state=0
    )
    few = np.concatenate([np.flatnonzero(y_train == label)[:10] for label in RARE])
    kept = np.sort(np.concatenate([np.flatnonzero(~np.isin(y_train, RARE)), few]))
    X_train, y_train = X_train[kept], y_train[kept]

    sampler = GANSampler(random_state=0)
    balanced, labels = sampler.fit_resample(X_train, y_train)
    print("images of each class:", np.bincount(labels).tolist())
    new = np.concatenate([np.hstack(sampler.sample({label: 12})[0]) for label in RARE])
    size = new.shape[1] * 4, new.shape[0] * 4
    Image.fromarray(new * 15).resize(size, Image.Resampling.NEAREST).save("new_digits.png")
    copies, y_copies = RandomOverSampler(random_state=0).fit_resample(_flat(X_train), y_train)
    strategies = {
        "as they are": (_flat(X_train), y_train),
        "copies": (copies, y_copies),
        "new images": (_flat(balanced), labels),
    }
    for name, (X, y) in strategies.items():
        network = MLPClassifier((64,), max_iter=100, random_state=0).fit(X / 16, y)
        found = network.predict(_flat(X_test) / 16)
        recall = recall_score(y_test, found, labels=RARE, average="macro")
        f1 = f1_score(y_test, found, average="macro")
        print(f"{name}: recall of the rare ones {recall:.3f}, macro F1 {f1:.3f}")


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


if __name__ == "__main__":
    main()
