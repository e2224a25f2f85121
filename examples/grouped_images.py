"""Several photographs of each part: measure what new images gain on unseen parts.

python examples/grouped_images.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neighbors import KNeighborsClassifier

from augan import GANSampler

N_PHOTOGRAPHS = 4
PARTS = {3: 60, 8: 40, 9: 20}  # digits stand for kinds of parts, the last one rare


def photographs(random):
    """Return images, kinds and numbers of parts that lie any way, each under four lights."""
    digits = load_digits()
    chosen = [np.flatnonzero(digits.target == kind)[:n] for kind, n in PARTS.items()]
    parts = np.concatenate(chosen)
    turned = [np.rot90(digits.images[part], random.integers(4)) for part in parts]
    lights = random.uniform(0.7, 1.0, (len(parts), N_PHOTOGRAPHS, 1, 1))
    images = np.stack(turned)[:, None] * lights + random.normal(
        0, 0.5, (len(parts), N_PHOTOGRAPHS, 8, 8)
    )
    groups = np.repeat(np.arange(len(parts)), N_PHOTOGRAPHS)
    return images.reshape(-1, 8, 8).astype(np.float32), digits.target[parts][groups], groups


def main() -> None:
    X, y, groups = photographs(np.random.default_rng(0))
    splitter = GroupShuffleSplit(1, test_size=0.4, random_state=0)
    train, test = next(splitter.split(X, y, groups))

    classifier = KNeighborsClassifier(3)
    sampler = GANSampler(tune_for=classifier, random_state=0)
    balanced, labels = sampler.fit_resample(X[train], y[train], groups=groups[train])
    print("chosen:", sampler.symmetry_, "share", sampler.synthetic_share_, "near", sampler.spread_)
    for trial in sampler.tuning_:
        print(f"  {trial.share} {trial.spread} {trial.symmetry}: {trial.gain:+.3f} of F1")

    for name, rows, kinds in (("as they are", X[train], y[train]), ("new", balanced, labels)):
        model = classifier.fit(rows.reshape(len(rows), -1), kinds)
        found = model.predict(X[test].reshape(len(test), -1))
        print(f"F1 on parts not seen, {name}: {f1_score(y[test], found, average='macro'):.3f}")


if __name__ == "__main__":
    main()
