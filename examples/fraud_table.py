"""Score card payments: categories, missing values and a date, inside a scikit-learn pipeline.

python examples/fraud_table.py
"""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from augan import FAnoGAN


def make_payments(n: int, n_fraud: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return payments and their labels, 1 = fraud: large amounts at night in odd shops."""
    random = np.random.default_rng(seed)
    fraud = np.arange(n) < n_fraud
    hour = np.where(fraud, random.normal(3, 2, n), random.normal(14, 4, n)) % 24
    amount = np.exp(np.where(fraud, random.normal(5.5, 0.7, n), random.normal(3.2, 0.9, n)))
    shop = np.where(
        random.random(n) < np.where(fraud, 0.6, 0.05),
        "electronics",
        random.choice(["food", "fuel", "clothes"], n),
    )
    age = random.normal(45, 12, n).round()
    age[random.random(n) < 0.1] = np.nan
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 365, n), unit="D")
    frame = pd.DataFrame(
        {"hour": hour.round(1), "amount": amount.round(2), "shop": shop, "age": age, "day": days}
    )
    return frame, fraud.astype(int)


def main() -> None:
    train, labels = make_payments(2000, 10, seed=0)
    test, y = make_payments(1000, 20, seed=1)

    steps = {"max_steps": 300, "encoder_steps": 300, "pretext_steps": 500, "generator": True}
    detector = FAnoGAN(normal_label=0, target_fpr=0.01, **steps, random_state=0)
    detector.fit(train, labels)  # only rows labelled 0 train

    scores = detector.anomaly_score(test)
    flagged = detector.predict(test) == -1
    print(f"AUROC {roc_auc_score(y, scores):.3f}  AP {average_precision_score(y, scores):.3f}")
    print(f"flagged {flagged.sum()} of {len(test)} rows, {flagged[y == 1].sum()} of 20 frauds")

    worst = test.assign(score=scores, p_value=detector.p_value(test)).nlargest(3, "score")
    print(worst.to_string())
    print("why:", detector.explain(worst[test.columns]).idxmax(axis=1).tolist())
    print("new normal rows:")
    print(detector.sample(3, random_state=0).to_string())


if __name__ == "__main__":
    main()
