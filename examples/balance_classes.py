"""Balance a rare class in an imbalanced-learn pipeline, and measure what it gains.

python examples/balance_classes.py
"""

import numpy as np
from imblearn.pipeline import make_pipeline
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from augan import GANSampler


def main() -> None:
    X, benign = load_breast_cancer(return_X_y=True, as_frame=True)
    malignant = (1 - benign).rename("malignant")
    X_train, X_test, y_train, y_test = train_test_split(
        X, malignant, test_size=0.4, stratify=malignant, random_state=0
    )
    rare = np.flatnonzero(y_train == 1)[:20]  # as if twenty tumours were known
    kept = np.sort(np.concatenate([np.flatnonzero(y_train == 0), rare]))
    X_train, y_train = X_train.iloc[kept], y_train.iloc[kept]

    sampler = GANSampler(random_state=0)
    balanced, labels = sampler.fit_resample(X_train, y_train)
    print("rows of each class:", labels.value_counts().to_dict(), "made from", sampler.methods_)
    print(balanced.iloc[len(X_train) :, :4].head(3).to_string())
    large, _ = sampler.sample({1: 3}, where={"mean radius": (18, None)})
    print("large ones:", large["mean radius"].round(1).tolist())

    forest = RandomForestClassifier(100, random_state=0)
    strategies = {
        "no new rows": [],
        "as many as of the other class": [sampler],
        "as many as help, no near copies": [
            GANSampler(tune_for=forest, filters=("copies",), random_state=0)
        ],
    }
    for name, steps_before in strategies.items():
        model = make_pipeline(*steps_before, forest).fit(X_train, y_train)
        ap = average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
        print(f"average precision, {name}: {ap:.3f}")


if __name__ == "__main__":
    main()
