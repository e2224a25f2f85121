"""A detector inside scikit-learn: pipeline, grid search on a few labels, cross-validation.

python examples/sklearn_pipeline.py
"""

from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from augan import FAnoGAN


def average_precision(pipeline, X, y) -> float:
    """Rank anomalies (label 1) by how abnormal they look.

    scikit-learn's own "average_precision" ranks by `decision_function`, which is high for normal
    rows: with it, label normal rows 1 and anomalies -1.
    """
    return average_precision_score(y, -pipeline.score_samples(X))


def main() -> None:
    X, target = load_breast_cancer(return_X_y=True, as_frame=True)
    y = (target == 0).astype(int)  # malignant tumours are the anomalies

    columns = ColumnTransformer([("means", "passthrough", list(X.columns[:10]))])
    steps = {"max_steps": 100, "encoder_steps": 100, "pretext_steps": 100, "n_folds": 2}
    detector = FAnoGAN(normal_label=0, **steps, random_state=0)
    search = GridSearchCV(
        make_pipeline(columns, detector),
        {"fanogan__fusion": ["top2", "mean"]},
        scoring=average_precision,
        cv=StratifiedKFold(2),
    )
    search.fit(X, y)
    print(f"best {search.best_params_}: AP {search.best_score_:.3f}")
    print("flagged:", (search.predict(X) == -1).sum(), "of", len(X))


if __name__ == "__main__":
    main()
