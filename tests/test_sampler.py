"""GANSampler: exact counts, the classes' own rows, types and bounds, pipelines."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.pipeline import Pipeline
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from augan import GANSampler
from augan.exceptions import DataError, ParameterError
from augan.models import sampler_training as sampler_module

QUICK = {"max_steps": 60, "encoder_steps": 60, "n_critic": 1, "width": 32, "random_state": 0}
FEW_STEPS = {**QUICK, "max_steps": 10, "encoder_steps": 10}
METHODS = ("columns", "gan", "latent", "data")


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Two classes side by side, one of them rare."""
    random = np.random.default_rng(0)
    normal = random.normal(size=(300, 3))
    rare = random.normal(size=(30, 3)) * 0.5 + np.array([4.0, -4.0, 0.0])
    return np.concatenate([normal, rare]), np.repeat([0, 1], [300, 30])


@pytest.fixture(scope="module")
def mixed() -> tuple[pd.DataFrame, pd.Series]:
    """A table with every kind of column."""
    random = np.random.default_rng(1)
    n = 240
    frame = pd.DataFrame(
        {
            "amount": np.round(random.lognormal(3, 1, n), 2),
            "items": random.integers(1, 9, n),
            "card": random.random(n) < 0.3,
            "country": pd.Categorical(random.choice(["de", "fr", "it"], n)),
            "shop": random.choice(["north", "south"], n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 90, n), "D"),
            "age": pd.array(random.integers(18, 80, n), dtype="Int64"),
        }
    )
    frame.loc[random.random(n) < 0.2, "age"] = pd.NA
    label = pd.Series(np.where(np.arange(n) < 24, "fraud", "fine"), name="label")
    return frame, label


@pytest.mark.parametrize("method", METHODS)
def test_originals_come_first_and_counts_are_exact(rows: Any, method: str) -> None:
    X, y = rows
    sampler = GANSampler(method=method, **QUICK)
    X_new, y_new = sampler.fit_resample(X, y)
    assert np.array_equal(X_new[: len(X)], X)
    assert np.array_equal(y_new[: len(y)], y)
    assert np.bincount(y_new).tolist() == [300, 300]
    assert sampler.sampling_strategy_ == {1: 270}
    assert X_new.dtype == X.dtype and y_new.dtype == y.dtype


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", [300, 300, 300]),
        ("minority", [300, 60, 300]),
        ("not minority", [300, 300, 30]),
        ("not majority", [300, 300, 300]),
        ("all", [300, 300, 300]),
        ({1: 70, 2: 31}, [300, 70, 31]),
        (lambda y: {2: 40}, [300, 60, 40]),
    ],
)
def test_sampling_strategy_means_what_it_does_in_imbalanced_learn(
    rows: Any, strategy: Any, expected: list[int]
) -> None:
    X, y = rows
    X = np.concatenate([X, X[:60] + 9])
    y = np.concatenate([y * 2, np.ones(60, dtype=y.dtype)])
    _, y_new = GANSampler(sampling_strategy=strategy, method="data").fit_resample(X, y)
    assert np.bincount(y_new).tolist() == expected


def test_a_ratio_is_that_of_the_two_classes(rows: Any) -> None:
    _, y_new = GANSampler(sampling_strategy=0.5, method="data").fit_resample(*rows)
    assert np.bincount(y_new).tolist() == [300, 150]


@pytest.fixture(scope="module")
def trained_gan(rows: Any) -> GANSampler:
    """A sampler whose generator has learned the two classes."""
    enough = {"max_steps": 500, "width": 64, "n_critic": 2}
    return GANSampler(method="gan", **QUICK | enough).fit(*rows)


@pytest.mark.parametrize("method", METHODS)
def test_new_rows_are_of_their_class(rows: Any, trained_gan: GANSampler, method: str) -> None:
    """Two well separated classes: a linear rule of the real rows knows the new ones."""
    X, y = rows
    given = {"method": method, "spread": 1.0} | QUICK | {"max_steps": 300}
    sampler = trained_gan if method == "gan" else GANSampler(**given).fit(X, y)
    X_new, y_new = sampler.sample({0: 200, 1: 200})
    rule = LogisticRegression().fit(X, y)
    assert rule.score(X_new, y_new) > 0.95
    assert set(sampler.methods_.values()) == {method}


@pytest.mark.parametrize("method", ["latent", "data"])
def test_new_rows_are_new_and_near(rows: Any, method: str) -> None:
    X, y = rows
    X_new, _ = GANSampler(method=method, **QUICK).fit(X, y).sample({1: 300})
    assert len(np.unique(X_new.round(6), axis=0)) > 290
    rare = X[y == 1]
    assert np.allclose(X_new.mean(axis=0), rare.mean(axis=0), atol=0.4)
    assert (X_new.min(axis=0) >= X.min(axis=0)).all()
    assert (X_new.max(axis=0) <= X.max(axis=0)).all()


def test_spread_says_how_far_to_go(rows: Any) -> None:
    X, y = rows

    def distance(spread: float, method: str) -> float:
        X_new, _ = GANSampler(method=method, spread=spread, **QUICK).fit(X, y).sample({1: 200})
        gaps = np.linalg.norm(X_new[:, None] - X[y == 1], axis=2).min(axis=1)
        return float(gaps.mean())

    for method in ("latent", "data"):
        near, usual, far = (distance(spread, method) for spread in (0.0, 0.5, 2.0))
        assert near < 1e-4 < usual < far


@pytest.mark.parametrize("method", METHODS)
def test_tables_come_back_as_tables(mixed: Any, method: str) -> None:
    frame, label = mixed
    X_new, y_new = GANSampler(method=method, **QUICK).fit_resample(frame, label)
    assert isinstance(X_new, pd.DataFrame) and isinstance(y_new, pd.Series)
    assert y_new.name == "label"
    assert (X_new.dtypes == frame.dtypes).all()
    assert list(X_new) == list(frame)
    pd.testing.assert_frame_equal(X_new[: len(frame)], frame)
    new = X_new[len(frame) :]
    assert new["items"].between(1, 8).all()
    assert set(new["country"]) <= {"de", "fr", "it"}
    assert list(new["country"].cat.categories) == ["de", "fr", "it"]
    assert new["day"].between(frame["day"].min(), frame["day"].max()).all()
    assert (new["day"] == new["day"].dt.normalize()).all()
    assert np.allclose(new["amount"], new["amount"].round(2))
    assert 0.02 < new["age"].isna().mean() < 0.5
    assert not new.drop(columns="age").isna().any(axis=None)


@pytest.fixture(scope="module")
def written() -> tuple[np.ndarray, np.ndarray]:
    """Images of threes, and of twenty eights."""
    digits = load_digits()
    kept = np.flatnonzero(
        (digits.target == 3) | ((digits.target == 8) & (np.cumsum(digits.target == 8) <= 20))
    )
    return digits.images[kept].astype(np.uint8), digits.target[kept]


@pytest.mark.parametrize("method", ["auto", "latent"])
def test_images_come_back_as_images(written: Any, method: str) -> None:
    images, y = written
    sampler = GANSampler(
        method=method, max_steps=40, encoder_steps=40, width=8, spread=0.5, random_state=0
    )
    new_images, y_new = sampler.fit_resample(images, y)
    size = (y == 3).sum()
    assert new_images.shape == (4 * size, 8, 8)
    assert new_images.dtype == np.uint8
    assert new_images.max() <= images.max()
    new, labels = new_images[-2 * size :], y_new[-2 * size :]
    assert np.bincount(labels)[[3, 8]].tolist() == [size, size]
    rule = LogisticRegression(max_iter=2000)
    rule.fit(images.reshape(len(images), -1), y)
    assert (rule.predict(new.reshape(len(new), -1)) == labels).mean() > 0.8
    assert sampler.methods_ == dict.fromkeys([3, 8], "data" if method == "auto" else "latent")
    assert (sampler.networks_ is None) == (method == "auto")


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_every_class_has_the_same_share_of_synthetic_rows(rows: Any, share: float) -> None:
    X, y = rows
    sampler = GANSampler(method="data", synthetic_share=share, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert np.array_equal(X_new[: len(X)], X)
    real = {tuple(row) for row in X}
    synthetic = np.array([tuple(row) not in real for row in X_new])
    assert np.bincount(y_new).tolist() == [round(300 / (1 - share))] * 2
    for label in (0, 1):
        assert synthetic[y_new == label].mean() == pytest.approx(share, abs=0.005)
        assert sampler.sampling_strategy_[label] == (y_new[len(y) :] == label).sum()
    copied, times = np.unique(X_new[(y_new == 1) & ~synthetic], axis=0, return_counts=True)
    assert len(copied) == 30 and set(times) == {10}


def test_a_share_of_synthetic_rows_keeps_tables_and_strategies(mixed: Any) -> None:
    frame, label = mixed
    sampler = GANSampler(
        method="data", sampling_strategy={"fraud": 100}, synthetic_share=0.5, random_state=0
    )
    X_new, y_new = sampler.fit_resample(frame, label)
    assert y_new.value_counts().to_dict() == {"fine": 432, "fraud": 200}
    assert sampler.sampling_strategy_ == {"fine": 216, "fraud": 176}
    assert (X_new.dtypes == frame.dtypes).all()
    pd.testing.assert_frame_equal(X_new[: len(frame)], frame)


@pytest.mark.parametrize("format_", ["csr", "csc"])
def test_sparse_matrices_stay_sparse(rows: Any, format_: str) -> None:
    X, y = rows
    X = sparse.random(len(X), 6, density=0.3, format=format_, random_state=0)
    X_new, _ = GANSampler(method="data", random_state=0).fit_resample(X, y)
    assert X_new.format == format_
    assert np.array_equal(X_new[: X.shape[0]].toarray(), X.toarray())


@pytest.mark.usefixtures("untouched_random_state")
def test_the_same_seed_gives_the_same_rows(rows: Any) -> None:
    first, again = (GANSampler(**QUICK).fit_resample(*rows)[0] for _ in range(2))
    other = GANSampler(**QUICK | {"random_state": 1}).fit_resample(*rows)[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sample_takes_a_number_or_counts_by_class(rows: Any) -> None:
    sampler = GANSampler(method="data", random_state=0).fit(*rows)
    X_new, y_new = sampler.sample(110)
    assert len(X_new) == len(y_new) == 110
    assert (y_new == 1).sum() == pytest.approx(10, abs=9)
    X_new, y_new = sampler.sample({1: 7})
    assert X_new.shape == (7, 3) and (y_new == 1).all()
    a, b = (sampler.sample(5, random_state=seed)[0] for seed in (1, 2))
    assert not np.array_equal(a, b)


def test_a_class_of_few_rows_is_made_of_its_own_rows(rows: Any) -> None:
    X, y = rows
    kept = np.r_[0:300, 300:303]
    sampler = GANSampler(method="latent", **QUICK)
    _, y_new = sampler.fit_resample(X[kept], y[kept])
    assert sampler.methods_ == {0: "latent", 1: "data"}
    assert sampler.class_counts_ == {0: 300, 1: 3}
    assert np.bincount(y_new).tolist() == [300, 300]


@pytest.mark.parametrize("search", [False, True])
def test_works_inside_a_pipeline(rows: Any, search: bool, tmp_path: Any) -> None:
    X, y = rows
    steps = [
        ("scale", StandardScaler()),
        ("balance", GANSampler(**FEW_STEPS)),
        ("classify", LogisticRegression()),
    ]
    pipeline = Pipeline(steps, memory=str(tmp_path))
    if search:
        grid = GridSearchCV(pipeline, {"balance__spread": [0.5, 1.0]}, cv=2, scoring="roc_auc")
        assert grid.fit(X, y).best_score_ > 0.99
    else:
        scores = cross_validate(pipeline, X, y, cv=2, scoring="average_precision")
        assert scores["test_score"].min() > 0.95


@pytest.mark.slow
def test_rows_from_the_latents_teach_more_than_copies() -> None:
    """A floor on real data: fifteen tumours of 200, a forest, mean of five splits."""
    X, y = load_breast_cancer(return_X_y=True)
    y = 1 - y
    gains = []
    for seed in range(5):
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=seed)
        kept = np.flatnonzero((y_train == 0) | (np.cumsum(y_train) <= 15))
        X_train, y_train = X_train[kept], y_train[kept]
        copies = np.random.default_rng(seed).choice(np.flatnonzero(y_train), (y_train == 0).sum())
        new, _ = GANSampler(**QUICK | {"max_steps": 300, "random_state": seed}).fit_resample(
            X_train, y_train
        )
        labels = np.r_[y_train, np.ones(len(new) - len(y_train), dtype=int)]
        arms = {
            "copies": (np.r_[X_train, X_train[copies]], np.r_[y_train, y_train[copies]]),
            "latent": (new, labels),
        }
        ap = {}
        for name, (rows_, labels_) in arms.items():
            forest = RandomForestClassifier(100, random_state=0).fit(rows_, labels_)
            ap[name] = average_precision_score(y_test, forest.predict_proba(X_test)[:, 1])
        gains.append(ap["latent"] - ap["copies"])
    assert np.mean(gains) > 0


@pytest.mark.slow
def test_new_images_of_every_class_teach_more_than_copies() -> None:
    """A floor on real data: two digits of which ten are known, a network, mean of five splits."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    gains = []
    for seed in range(5):
        X_train, X_test, y_train, y_test = train_test_split(
            images, digits.target, test_size=0.5, stratify=digits.target, random_state=seed
        )
        rare = np.random.default_rng(seed).permutation(10)[:2]
        few = [np.flatnonzero(y_train == label)[:10] for label in rare]
        kept = np.concatenate([np.flatnonzero(~np.isin(y_train, rare)), *few])
        arms = {
            "copies": GANSampler(spread=0.0, random_state=seed),
            "new": GANSampler(random_state=seed),
        }
        f1 = {}
        for name, sampler in arms.items():
            X, y = sampler.fit_resample(X_train[kept], y_train[kept])
            network = MLPClassifier((64,), max_iter=60, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                network.fit(X.reshape(len(X), -1) / 16, y)
            found = network.predict(X_test.reshape(len(X_test), -1) / 16)
            f1[name] = f1_score(y_test, found, average="macro")
        gains.append(f1["new"] - f1["copies"])
    assert np.mean(gains) > 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "smote"}, "method='smote'"),
        ({"spread": -1}, "spread=-1"),
        ({"synthetic_share": 1.0}, "synthetic_share=1.0"),
        ({"symmetry": "turns"}, "symmetry='turns'"),
        ({"synthetic_share": 0.5, "tune_for": "auto"}, "tune_for and synthetic_share"),
        ({"max_steps": 0}, "max_steps=0"),
        ({"random_state": "x"}, "random_state='x'"),
    ],
)
def test_wrong_parameters_are_named(rows: Any, params: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        GANSampler(**params).fit(*rows)


def test_wrong_requests_are_named(rows: Any) -> None:
    X, y = rows
    sampler = GANSampler(method="data", random_state=0).fit(X, y)
    with pytest.raises(ParameterError, match="no class 2 in training; it had 0, 1"):
        sampler.sample({2: 5})
    with pytest.raises(ParameterError, match="n_samples=0"):
        sampler.sample(0)
    with pytest.raises(ParameterError, match="n_samples=-3"):
        sampler.sample({1: -3})
    with pytest.raises(DataError, match="y has 10 labels for 330 rows"):
        sampler.fit(X, y[:10])
    with pytest.raises(DataError, match=r"class 1 has 1 row"):
        GANSampler(method="data").fit_resample(X[:301], y[:301])


@pytest.mark.parametrize("call", ["fit", "fit_resample"])
@pytest.mark.parametrize("images", [False, True])
def test_a_class_of_one_row_is_refused_before_the_training(
    monkeypatch: pytest.MonkeyPatch, call: str, images: bool
) -> None:
    random = np.random.default_rng(0)
    X = (
        random.integers(0, 256, (40, 8, 8), dtype=np.uint8)
        if images
        else random.normal(size=(40, 2))
    )
    y = np.repeat(["many", "one"], [39, 1])
    trains = "augan.models.sampler_training.train"
    monkeypatch.setattr(trains, lambda *_, **__: pytest.fail("it trains"))
    for given in ({}, {"method": "gan"}, {"tune_for": "auto"}):
        with pytest.raises(DataError, match="class 'one' has 1 row: at least 2"):
            getattr(GANSampler(random_state=0, **given), call)(X, y)
    sampler = GANSampler(method="data", sampling_strategy={"one": 1}, random_state=0)
    sampler.fit(X, y)  # no more of it: nothing to refuse


@pytest.mark.parametrize("call", ["fit", "fit_resample"])
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([0, 1, np.nan], "y has no label in row 29"),
        (["a", "b", None], "y has no label in row 29"),
        (pd.array([0, 1, pd.NA], dtype="Int64"), "y has no label in row 29"),
        (np.array([0, "b", "b"], dtype=object), "labels of several types"),
        ([0.25, 0.5, 0.75], "y: Unknown label type: continuous"),
    ],
)
def test_wrong_labels_are_named(rows: Any, labels: Any, says: str, call: str) -> None:
    y = pd.Series(labels).repeat([20, 9, 1])
    with pytest.raises(DataError, match=says):
        getattr(GANSampler(method="data"), call)(rows[0][:30], y)


def test_rows_kept_of_a_class_are_bounded(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "MAX_KEPT", 20)
    sampler = GANSampler(method="data", spread=0.0, random_state=0).fit(*rows)
    X_new, y_new = sampler.sample(2000)
    assert (y_new == 0).mean() == pytest.approx(10 / 11, abs=0.03)
    for label in (0, 1):
        assert len(np.unique(X_new[y_new == label].round(5), axis=0)) == 20


def test_columns_that_say_nothing_of_the_class_are_named(mixed: Any) -> None:
    frame, y = mixed
    n = len(frame)
    numbers = np.random.default_rng(0).permutation(n) + 7
    note = [f"customer {i} called" for i in range(n)]
    columns = {"policy": numbers, "note": note, "empty": np.nan, "cents": numbers * 31}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sampler = GANSampler(method="data", random_state=0).fit(frame.assign(**columns), y)
    said = [str(warning.message) for warning in caught]
    assert any("'policy' numbers the rows" in line for line in said)
    assert any("'note' has a different string in each row" in line for line in said)
    assert any("'empty' is empty" in line for line in said)
    assert not any("'cents'" in line or "'items'" in line for line in said)
    rows, _ = sampler.sample(20)
    assert rows["empty"].isna().all() and not set(rows["note"]) & set(note)


def test_nothing_warns(mixed: Any) -> None:
    with warnings.catch_warnings(action="error"):
        GANSampler(**QUICK).fit_resample(*mixed)


def test_the_generator_is_told_the_class(rows: Any, trained_gan: GANSampler) -> None:
    """The same latents, another class: rows of the other class."""
    X, y = rows
    generator = trained_gan.networks_.generator
    z = torch.randn(
        200, trained_gan.networks_.latent_dim, generator=torch.Generator().manual_seed(0)
    )
    made = [
        trained_gan.codec_.decode(generator(z, torch.eye(2)[[label]].expand(200, 2)))
        for label in (0, 1)
    ]
    labels = np.repeat([0, 1], 200)
    rule = LogisticRegression().fit(X, y)
    assert roc_auc_score(labels, rule.decision_function(np.concatenate(made))) > 0.95


def test_rows_of_the_generator_alone_need_no_encoder(trained_gan: GANSampler, rows: Any) -> None:
    assert trained_gan.networks_.encoder is None
    assert {row["phase"] for row in trained_gan.history_} == {"gan"}
    endless = {"max_steps": 10**6, "max_time": 1.0}
    timed = GANSampler(method="gan", **QUICK | endless).fit(*rows)
    assert timed.history_[-1]["done"] == 1.0 and timed.history_[-1]["seconds"] >= 1.0


OTHER = {
    "sampling_strategy": 0.5,
    "method": "data",
    "spread": 0.75,
    "synthetic_share": 0.3,
    "filters": ("copies",),
    "gan": "hinge",
    "latent_dim": 3,
    "width": 24,
    "spectral_norm": True,
    "max_steps": 40,
    "encoder_steps": 30,
    "batch_size": 32,
    "n_critic": 2,
    "gradient_penalty": 1.0,
    "r1": 1.0,
    "feature_matching": 1.0,
    "lr_generator": 1e-3,
    "lr_critic": 1e-4,
    "lr_encoder": 1e-2,
    "betas": (0.0, 0.9),
    "schedule": "constant",
    "gradient_clip": 1e-3,
    "ema_decay": 0.5,
    "validation_fraction": 0.3,
    "random_state": 7,
}
OF_GANS = {
    "gan",
    "latent_dim",
    "spectral_norm",
    "encoder_steps",
    "n_critic",
    "gradient_penalty",
    "r1",
    "feature_matching",
    "lr_generator",
    "lr_critic",
    "lr_encoder",
    "betas",
    "gradient_clip",
    "ema_decay",
    "validation_fraction",
}
ELSEWHERE = {
    "tails",
    "architecture",
    "symmetry",
    "tune_for",
    "max_categories",
    "relations",
    "image_size",
    "diff_augment",
    "max_time",
    "n_iter_no_change",
    "callbacks",
    "device",
    "verbose",
}


@pytest.fixture(scope="module")
def usual(rows: Any) -> dict[str, np.ndarray]:
    """What a few steps make, by method."""
    samplers = {name: GANSampler(method=name, **FEW_STEPS) for name in ("auto", "latent")}
    return {name: sampler.fit_resample(*rows)[0] for name, sampler in samplers.items()}


@pytest.mark.parametrize("name", OTHER)
def test_every_parameter_changes_something(
    rows: Any, usual: dict[str, np.ndarray], name: str
) -> None:
    method = "latent" if name in OF_GANS else "auto"
    changed = GANSampler(**{"method": method} | FEW_STEPS | {name: OTHER[name]}).fit_resample(*rows)
    assert changed[0].shape != usual[method].shape or not np.array_equal(changed[0], usual[method])


def test_no_parameter_is_forgotten() -> None:
    assert set(GANSampler().get_params()) == set(OTHER) | ELSEWHERE


def test_training_stops_when_told_and_reports(rows: Any) -> None:
    seen: list[dict[str, Any]] = []
    endless = {"method": "latent", "max_steps": 10**6, "encoder_steps": 10**6}
    timed = GANSampler(max_time=0.5, callbacks=[seen.append], **endless)
    timed.fit(*rows)
    assert seen == list(timed.history_)
    assert seen[-1]["step"] < 10**6
    still = {"method": "latent", "lr_generator": 1e-12, "lr_critic": 1e-12, "lr_encoder": 1e-12}
    stopped = GANSampler(**QUICK | still | {"max_steps": 400, "n_iter_no_change": 1}).fit(*rows)
    assert max(row["step"] for row in stopped.history_ if row["phase"] == "gan") < 400


def test_rare_categories_share_a_channel_and_images_have_a_working_size() -> None:
    frame = pd.DataFrame({"shop": list("aaabbbcccd") * 6})
    y = np.repeat([0, 1], 30)
    with pytest.warns(UserWarning, match="'shop' has 4 categories"):
        sampler = GANSampler(method="data", max_categories=2).fit(frame, y)
    assert len(sampler.codec_.columns[0].categories) == 2
    images = np.random.default_rng(0).random((20, 32, 32))
    small = GANSampler(method="data", image_size=16).fit(images, np.arange(20) % 2)
    assert small.codec_.spec.height == 16
    assert small.sample({1: 3})[0].shape == (3, 32, 32)


def test_large_images_keep_their_detail_however_many_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stripes = np.zeros((12, 96, 100, 3), dtype=np.uint8)
    stripes[:, :, ::2] = np.arange(120, 240, 10).reshape(-1, 1, 1, 1)
    y = np.repeat([0, 1], [9, 3])
    sampler = GANSampler(spread=0.01, random_state=0)
    for pixels in (2**24, 100_000):  # all at once; three at a time
        monkeypatch.setattr("augan.sampling.sources.MAX_PIXELS", pixels)
        images, labels = sampler.fit_resample(stripes, y)
        assert images.shape == (36, 96, 100, 3)
        new, own = images[18:], labels[18:]
        contrast = np.abs(np.diff(new[:, 8:-8, 8:-8].astype(int), axis=2)).mean(axis=(1, 2, 3))
        assert contrast.min() > 80
        gaps = np.abs(new.mean(axis=(1, 2, 3))[:, None] - stripes.mean(axis=(1, 2, 3)))
        assert gaps.min(axis=1).max() < 1
        assert (y[gaps.argmin(axis=1)] == own).all()


def test_the_device_is_checked(rows: Any) -> None:
    with pytest.raises(ParameterError, match="device='tpu9'"):
        GANSampler(device="tpu9").fit(*rows)
    assert GANSampler(device="cpu", **QUICK).fit(*rows).get_params()["device"] == "cpu"


@pytest.mark.parametrize("strategy", [{1: 59.5}, {1: "60"}, lambda y: 5, {1: 10**12}, {2: 400}])
def test_a_strategy_that_is_no_number_of_rows_is_refused(rows: Any, strategy: Any) -> None:
    with pytest.raises(ParameterError, match=r"sampling_strategy=[^\n]*$"):
        GANSampler(sampling_strategy=strategy, **QUICK).fit_resample(*rows)


def test_dates_are_labels(rows: Any) -> None:
    days = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[rows[1]]
    _, labels = GANSampler(method="data").fit_resample(rows[0], days)
    assert np.unique(labels, return_counts=True)[1].tolist() == [300, 300]
    assert labels.dtype == days.dtype


def test_labels_may_be_a_frame(rows: Any) -> None:
    import polars as pl
    import pyarrow as pa

    for y in (pl.DataFrame({"y": rows[1]}), pa.table({"y": pa.array(rows[1])})):
        _, labels = GANSampler(method="data").fit_resample(rows[0], y)
        assert type(labels) is type(y)
        assert np.unique(labels["y"].to_numpy(), return_counts=True)[1].tolist() == [300, 300]
    with pytest.raises(DataError, match="y has 2 columns"):
        GANSampler().fit(rows[0], pl.DataFrame({"y": rows[1], "z": rows[1]}))
    one_hot = pd.DataFrame(np.eye(3, dtype=int)[np.repeat([0, 1, 2], [200, 100, 30])])
    _, labels = GANSampler(method="data").fit_resample(rows[0], one_hot)
    assert labels.sum().tolist() == [200, 200, 200]


def test_labels_and_groups_that_are_objects_are_named(rows: Any) -> None:
    with pytest.raises(DataError, match=r"y holds Python objects, such as 0 \(int\)"):
        GANSampler().fit(rows[0], rows[1].astype(object))
    with pytest.raises(DataError, match="y has no label in row 3"):
        GANSampler().fit(rows[0], pd.Series(rows[1]).mask(np.arange(330) == 3).to_frame())
    groups = np.array([{}] * len(rows[1]), dtype=object)
    with pytest.raises(DataError, match="groups: unhashable"):
        GANSampler(method="data").fit(*rows, groups=groups)


def test_a_critic_that_cannot_judge_is_said_before_the_training(rows: Any) -> None:
    def fail(row: dict[str, Any]) -> None:
        raise AssertionError("was trained")

    few = GANSampler(filters=("critic",), validation_fraction=0.01, callbacks=[fail], **QUICK)
    with pytest.raises(DataError, match=r"'critic' needs 20 held-out rows, there are 3"):
        few.fit_resample(*rows)
    with pytest.raises(ParameterError, match="'critic' is not possible with method='data'"):
        GANSampler(filters=("critic",), method="data").fit(*rows)


def test_a_condition_that_a_column_cannot_hold_is_refused(mixed: Any) -> None:
    sampler = GANSampler(method="data").fit(*mixed)
    with pytest.raises(ParameterError, match=r"'age' cannot hold 30\.5: the nearest"):
        sampler.sample(3, where={"age": 30.5})
    with pytest.raises(ParameterError, match="where=5: must be a mapping"):
        sampler.sample(3, where=5)
