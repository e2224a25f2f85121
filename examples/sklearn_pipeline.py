"""A detector inside scikit-learn: pipeline, grid search on a few labels, cross-validation.

python examples/sklearn_pipeline.py
"""

from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from augan import FAnoGAN
from augan.metrics import average_precision_scorer


def main() -> None:
    X, target = load_breast_cancer(return_X_y=True, as_frame=True)
    y = (target == 0).astype(int)  # malignant tumours are the anomalies

    columns = ColumnTransformer([("means", "passthrough", list(X.columns[:10]))])
    steps = {"pretext_steps": 100, "n_folds": 2}
    detector = FAnoGAN(normal_label=0, **steps, random_state=0)
    search = GridSearchCV(
        make_pipeline(columns, detector),
        {"fanogan__fusion": ["top2", "mean"]},
        scoring=average_precision_scorer,  # the anomaly is the positive class
        cv=StratifiedKFold(2),
    )
    search.fit(X, y)
    print(f"best {search.best_params_}: AP {search.best_score_:.3f}")
    print("flagged:", (search.predict(X) == -1).sum(), "of", len(X))


if __name__ == "__main__":
    main()
