"""What makes a sampler's rows: conditions, filters, the choice of how many, draws by class."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.pipeline import make_pipeline
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from augan import FAnoGAN, GANSampler
from augan.exceptions import DataError, DataWarning, ParameterError
from augan.sampling.drawing import MAX_TRIES, draw_passing
from augan.sampling.tuning import CANDIDATES, Trial, amounts, best_of
from augan.training.conditional import ClassGANPhase, ClassRows

QUICK = {"max_steps": 60, "encoder_steps": 60, "n_critic": 1, "width": 32, "random_state": 0}


@pytest.fixture(scope="module")
def mixed() -> tuple[pd.DataFrame, np.ndarray]:
    """A table with every kind of column; its first tenth is the rare class."""
    random = np.random.default_rng(1)
    n = 400
    days = pd.to_timedelta(random.integers(0, 90, n), "D")
    frame = pd.DataFrame(
        {
            "amount": np.where(random.random(n) < 0.3, 0.0, np.round(random.lognormal(3, 1, n), 2)),
            "items": random.integers(1, 9, n),
            "card": random.random(n) < 0.3,
            "country": pd.Categorical(random.choice(["de", "fr", "it"], n, p=[0.8, 0.15, 0.05])),
            "shop": random.choice(["north", "south", "far"], n, p=[0.6, 0.39, 0.01]),
            "day": pd.Timestamp("2024-01-01") + days,
            "age": pd.array(random.integers(18, 80, n), dtype="Int64"),
            "currency": "EUR",
        }
    )
    frame.loc[random.random(n) < 0.2, "age"] = pd.NA
    return frame, np.where(np.arange(n) < 40, "fraud", "fine")


@pytest.fixture(scope="module")
def fitted(mixed: Any) -> dict[str, GANSampler]:
    learned = {"gan": {"max_steps": 400, "n_critic": 2}}
    return {
        method: GANSampler(method=method, **QUICK | learned.get(method, {})).fit(*mixed)
        for method in ("latent", "gan", "data")
    }


@pytest.mark.parametrize("method", ["latent", pytest.param("data", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"amount": 0}, lambda f: f["amount"] == 0),
        ({"amount": 12.5}, lambda f: f["amount"] == 12.5),
        ({"amount": (10, 20)}, lambda f: f["amount"].between(10, 20)),
        ({"amount": (None, 5.0)}, lambda f: f["amount"] <= 5),
        ({"items": 3}, lambda f: f["items"] == 3),
        ({"card": True}, lambda f: f["card"]),
        ({"country": "fr"}, lambda f: f["country"] == "fr"),
        ({"day": ("2024-02-01", "2024-02-20")}, lambda f: f["day"].dt.month == 2),
        ({"day": datetime.date(2024, 1, 5)}, lambda f: f["day"] == pd.Timestamp("2024-01-05")),
        ({"age": None}, lambda f: f["age"].isna()),
        ({"age": (30, 50)}, lambda f: f["age"].between(30, 50).fillna(False)),
        ({"currency": "EUR"}, lambda f: f["currency"] == "EUR"),
        ({"card": False, "items": (2, 6)}, lambda f: ~f["card"] & f["items"].between(2, 6)),
    ],
)
def test_conditions_are_met_exactly_on_every_column(
    mixed: Any, fitted: dict[str, GANSampler], method: str, where: Any, holds: Any
) -> None:
    frame = mixed[0]
    rows, labels = fitted[method].sample(40, where=where)
    assert len(rows) == len(labels) == 40
    assert holds(rows).all()
    assert (rows.dtypes == frame.dtypes).all()
    others = [name for name in frame if name not in where and name != "currency"]
    assert (rows[others].nunique() > 1).all()  # nothing else is held


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"amount": (1, 20)}, lambda f: f["amount"].between(1, 20)),
        ({"country": "de", "card": False}, lambda f: (f["country"] == "de") & ~f["card"]),
    ],
)
def test_a_generator_meets_conditions_too(
    fitted: dict[str, GANSampler], where: Any, holds: Any
) -> None:
    sampler = fitted["gan"]
    rows, _ = sampler.sample(40, where=where)
    assert len(rows) == 40 and holds(rows).all()
    assert sampler.refused_["where"] > 0


def test_conditions_go_with_classes(mixed: Any, fitted: dict[str, GANSampler]) -> None:
    frame, y = mixed
    rows, labels = fitted["latent"].sample({"fraud": 30, "fine": 20}, where={"country": "de"})
    assert list(labels) == ["fraud"] * 30 + ["fine"] * 20
    assert (rows["country"] == "de").all()
    frame = frame.assign(country=np.where(y == "fraud", "it", "de"))
    sampler = GANSampler(method="data", random_state=0).fit(frame, y)
    _, labels = sampler.sample(50, where={"country": "it"})
    assert (labels == "fraud").all()
    with pytest.raises(DataError, match="no training row of class 'fine' meets the conditions"):
        sampler.sample({"fine": 1}, where={"country": "it"})


def test_a_category_without_a_channel_can_be_asked_for(mixed: Any) -> None:
    """Only two of three shops have one; rows of the third share a channel with unseen ones."""
    frame, y = mixed[0][["shop", "items"]], mixed[1]
    with pytest.warns(DataWarning, match="'shop' has 3 categories"):
        sampler = GANSampler(method="data", max_categories=2, random_state=0).fit(frame, y)
    rarest = frame["shop"].value_counts().index[-1]
    rows, _ = sampler.sample(20, where={"shop": rarest})
    assert (rows["shop"] == rarest).all()


def test_an_array_takes_conditions_by_its_column_numbers() -> None:
    X = np.random.default_rng(0).normal(size=(200, 2))
    sampler = GANSampler(method="data", random_state=0).fit(X, np.arange(200) % 2)
    rows, _ = sampler.sample(30, where={"x1": (0, 0.5)})
    assert ((rows[:, 1] >= 0) & (rows[:, 1] <= 0.5)).all()
    assert (sampler.sample(5, where={"x0": 0.25})[0][:, 0] == 0.25).all()


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"price": 1}, "where: no column 'price'; columns: amount, items"),
        ({"items": 99}, "where: column 'items' has no 99 in training, only 1 to 8"),
        ({"items": (20, 30)}, r"where: column 'items' has no \(20, 30\) in training"),
        ({"items": (5, 2)}, "where: column 'items': 5 is above 2"),
        ({"items": (1, 2, 3)}, "is not a range"),
        ({"items": "many"}, "where: column 'items' cannot hold 'many'"),
        ({"items": [1, 2]}, r"where: column 'items': \[1, 2\] is not a single value"),
        ({"items": None}, "where: column 'items' has no missing values in training"),
        ({"country": "es"}, "where: column 'country' has no 'es' in training; it has 'de'"),
        ({"country": ("a", "b")}, "is a range, but the column does not"),
        ({"currency": "USD"}, "where: column 'currency' has no 'USD' in training"),
    ],
)
def test_conditions_that_cannot_be_met_are_named(
    fitted: dict[str, GANSampler], where: Any, says: str
) -> None:
    with pytest.raises(ParameterError, match=says):
        fitted["data"].sample(5, where=where)


def test_too_many_tries_end_in_an_error() -> None:
    refused: Counter[str] = Counter()
    random = torch.Generator().manual_seed(0)

    def draw(n: int) -> torch.Tensor:
        return torch.rand(n, 1, generator=random)

    rows = draw_passing(100, draw, {"high": lambda r: r[:, 0] > 0.9}, refused)
    assert len(rows) == 100 and (rows > 0.9).all()
    assert refused["high"] >= 800
    with pytest.raises(DataError, match=r"x: 3 rows requested, 0 of \d+ accepted \(all rejected"):
        draw_passing(3, draw, {"all": lambda r: r[:, 0] > 2}, refused, "x: ")
    assert refused["all"] >= MAX_TRIES * 3


def test_images_have_no_columns() -> None:
    digits = load_digits()
    kept = digits.target < 2
    sampler = GANSampler(method="data", random_state=0).fit(
        digits.images[kept], digits.target[kept]
    )
    with pytest.raises(ParameterError, match="where: images have no columns"):
        sampler.sample(3, where={"x0": 1})


@pytest.fixture(scope="module")
def tumours() -> tuple[np.ndarray, np.ndarray]:
    X, benign = load_breast_cancer(return_X_y=True)
    kept = np.r_[np.flatnonzero(benign == 0)[:60], np.flatnonzero(benign == 1)]
    return X[kept, :10], 1 - benign[kept]


def test_near_copies_are_refused(tumours: Any) -> None:
    X, y = tumours
    scale = X.std(axis=0)
    gaps = {}
    for filters in ((), ("copies",)):
        sampler = GANSampler(method="data", spread=0.5, filters=filters, random_state=0).fit(X, y)
        new, _ = sampler.sample({1: 40})
        near = NearestNeighbors(n_neighbors=1).fit(X / scale)
        gaps[filters] = near.kneighbors(new / scale)[0].min()
    assert sampler.refused_["copies"] > 0
    assert gaps[("copies",)] > 1.2 * gaps[()]


def test_rows_that_look_like_another_class_are_refused(tumours: Any) -> None:
    X, y = tumours
    rule = LogisticRegression(max_iter=5000).fit(X / X.std(axis=0), y)
    found = {}
    for filters in ((), ("label",)):
        sampler = GANSampler(method="data", spread=3.0, filters=filters, random_state=0).fit(X, y)
        new, _ = sampler.sample({1: 300})
        found[filters] = (rule.predict(new / X.std(axis=0)) == 1).mean()
    assert sampler.refused_["label"] > 0
    assert found[("label",)] > found[()] + 0.02


def test_the_critic_refuses_what_it_can_tell_from_real_rows(tumours: Any) -> None:
    """Of real rows that no network has seen it keeps more than of a generator's first tries."""
    X, y = tumours
    seen = np.arange(len(y)) % 3 > 0
    sampler = GANSampler(
        method="gan",
        filters=("critic",),
        max_steps=300,
        encoder_steps=1,
        width=64,
        validation_fraction=0.3,
        random_state=0,
    ).fit(X[seen], y[seen])
    maker, random = sampler.model_.maker, torch.Generator().manual_seed(0)
    real = sampler.codec_.encode(X[~seen & (y == 0)])
    made = maker.pool.draw({0: 1000}, 1.0, random)
    kept_real, kept_made = (
        maker.filters["critic"].keep(rows, 0, random).double().mean() for rows in (real, made)
    )
    assert kept_real > 0.9 > 0.7 > kept_made
    new, again = (sampler.sample({0: 100})[0] for _ in range(2))
    assert sampler.refused_["critic"] > 50
    assert np.array_equal(new, again)


def test_filters_say_what_they_need(tumours: Any) -> None:
    X, y = tumours
    with pytest.raises(ParameterError, match="'critic' is not possible with method='data'"):
        GANSampler(method="data", filters=("critic",)).fit_resample(X, y)
    with pytest.raises(DataError, match="'critic' needs 20 held-out rows, there are 4"):
        few = GANSampler(filters=("critic",), **QUICK | {"validation_fraction": 0.01})
        few.fit_resample(X, y)
    with pytest.raises(ParameterError, match="filters="):
        GANSampler(filters=("smell",)).fit(X, y)


def test_a_band_of_scores_is_the_edge_of_a_class(tumours: Any) -> None:
    X, y = tumours
    sampler = GANSampler(method="data", spread=2.0, random_state=0).fit(X, y)
    own = sampler.codec_.encode(X[y == 0]).numpy()
    near = NearestNeighbors(n_neighbors=5).fit(own)
    usual = near.kneighbors()[0].mean(axis=1)
    rows, _ = sampler.sample({0: 60}, score_range=(0.9, 0.99))
    score = near.kneighbors(sampler.codec_.encode(rows).numpy())[0].mean(axis=1)
    low, high = np.quantile(usual, [0.9, 0.99])
    assert (score >= 0.99 * low).all() and (score <= 1.01 * high).all()
    assert sampler.refused_["score_range"] > 0
    for wrong in ((0.9, 0.2), (0.5,), 0.9, (0.5, 2)):
        with pytest.raises(ParameterError, match="score_range="):
            sampler.sample(3, score_range=wrong)


def test_a_detector_makes_rows_on_request_too(tumours: Any) -> None:
    X, y = tumours
    steps = {"max_steps": 100, "encoder_steps": 50, "pretext_steps": 50, "width": 32}
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(10)])
    detector = FAnoGAN(random_state=0, **steps).fit(frame[y == 0])
    edge = detector.sample(40, score_range=(0.5, 0.95))
    p = detector.p_value(edge)
    assert len(edge) == 40 and (p >= 0.05).all() and (p <= 0.5).all()
    low, high = frame["c0"][y == 0].quantile([0.3, 0.6])
    rows = detector.sample(40, where={"c0": (low, high)})
    assert rows["c0"].between(low, high).all()
    with pytest.raises(ParameterError, match="no column 'z'"):
        detector.sample(1, where={"z": 1})


def test_amounts_are_at_most_what_is_asked_for() -> None:
    counts = np.array([1000, 20, 300])
    assert amounts({1: 980, 2: 700}, counts, 3) == {1: 40, 2: 600}
    assert amounts({1: 980, 2: 700}, counts, np.inf) == {1: 980, 2: 700}
    assert amounts({1: 980}, counts, 1.0) == {1: 0}


def test_the_best_trial_has_to_be_above_its_error() -> None:
    sure, unsure, worse = Trial(3, 1, 0.03, 0.01), Trial(10, 1, 0.04, 0.05), Trial(3, 1, -0.1, 0.0)
    assert best_of([worse, sure]) == sure
    assert best_of([sure, unsure]) is None
    assert best_of([worse]) is None
    assert best_of([sure], n_errors=2.9) == sure
    assert best_of([sure], n_errors=3.1) is None


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    X, benign = load_breast_cancer(return_X_y=True)
    return X[:, :10], 1 - benign  # 212 of 569


def test_how_many_rows_are_added_is_chosen_by_their_use(many: Any) -> None:
    """No rows for a classifier that looks at none; else as the trials say."""
    X, y = many
    params = {"method": "data", "random_state": 0, "spread": 2.0}
    useless = GANSampler(tune_for=DummyClassifier(), **params)
    X_new, _ = useless.fit_resample(X, y)
    assert len(X_new) == len(X) and useless.sampling_strategy_ == {1: 0}
    assert useless.spread_ == 2.0 and useless.refused_ == {}
    assert [trial.gain for trial in useless.tuning_] == [0.0] * len(CANDIDATES)


class OnlyOfMany(DummyClassifier):
    """A classifier that is right when it has seen more than a share of rare rows."""

    def fit(self, X: Any, y: Any) -> OnlyOfMany:
        super().fit(X, y)
        self.rule = LogisticRegression(max_iter=2000).fit(X, y)
        self.right = np.mean(y) > 0.45
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.rule.predict_proba(X) if self.right else super().predict_proba(X)


def test_as_many_rows_are_added_as_help(many: Any) -> None:
    """212 of 569 are 37 %: this classifier needs them to be doubled at least."""
    sampler = GANSampler(method="data", tune_for=OnlyOfMany(), spread=2.0, random_state=0)
    _, y_new = sampler.fit_resample(*many)
    best = best_of(sampler.tuning_)
    assert best is not None and best.gain > 0.3
    assert sampler.sampling_strategy_ == {1: 145} and np.bincount(y_new).tolist() == [357, 357]
    assert sampler.spread_ == 2 * best.spread


class Remembers(KNeighborsClassifier):
    """A classifier that notes which share of the rows it has learned from."""

    known: ClassVar[list[float]] = []

    def predict_proba(self, X: Any) -> Any:
        gaps, _ = self.kneighbors(X)
        self.known.append(float(np.mean(gaps < 1e-9)))
        return super().predict_proba(X)


def test_rows_of_a_group_are_not_learned_from_and_tested_on(many: Any) -> None:
    X, y = many
    X, y, group = np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat(np.arange(len(X)), 2)
    asked = {"method": "data", "tune_for": Remembers(1), "random_state": 0}
    for groups, apart in ((group, True), (None, False), (group.astype(str), True)):
        Remembers.known.clear()
        sampler = GANSampler(**asked).fit(X, y, groups=groups)
        assert len(sampler.tuning_) == len(CANDIDATES)
        assert max(Remembers.known) < 0.05 if apart else min(Remembers.known) > 0.4
    sampler.fit(X, y, groups=np.where(y == 1, 0, group))  # all rare rows are one group
    assert sampler.tuning_ is None and sampler.sampling_strategy_ == {1: 290}


def test_groups_that_say_nothing_are_named(many: Any) -> None:
    X, y = many
    for groups, message in (
        (np.arange(5), r"groups has shape \(5,\) for 569 rows"),
        (np.where(np.arange(569) == 7, np.nan, 1), "groups has no value in row 7"),
    ):
        with pytest.raises(DataError, match=message):
            GANSampler(method="data").fit_resample(X, y, groups=groups)


def test_groups_reach_the_sampler_through_a_pipeline(many: Any) -> None:
    X, y = many
    with config_context(enable_metadata_routing=True):
        sampler = GANSampler(method="data").set_fit_resample_request(groups=True)
        sampler.set_fit_request(groups=True)
        pipeline = make_pipeline(sampler, DummyClassifier())
        pipeline.fit(X, y, groups=np.arange(len(X)))
        with pytest.raises(DataError, match="groups has shape"):
            pipeline.fit(X, y, groups=np.arange(3))


def test_of_few_rows_ten_times_as_many_are_made(tumours: Any) -> None:
    X, y = tumours
    few = np.r_[0:8, 60 : len(X)]
    sampler = GANSampler(method="data", tune_for="auto", spread=0.5, random_state=0)
    _, y_new = sampler.fit_resample(X[few], y[few])
    assert (y_new == 1).sum() == 80 and sampler.sampling_strategy_ == {1: 72}
    assert sampler.tuning_ is None and sampler.spread_ == 0.5


def test_tuning_is_for_classifiers(tumours: Any) -> None:
    X, y = tumours
    with pytest.raises(ParameterError, match="tune_for='forest'"):
        GANSampler(tune_for="forest").fit(X, y)


def test_rows_are_drawn_as_frequent_as_they_are_or_equally() -> None:
    labels = torch.tensor([0, 1, 0, 0, 2, 0, 0, 0, 0, 1])
    rows, random = ClassRows(labels), torch.Generator().manual_seed(0)
    as_they_are = labels[rows.draw(6000, 0.0, random)].bincount() / 6000
    equally = labels[rows.draw(6000, 1.0, random)].bincount() / 6000
    assert torch.allclose(as_they_are, torch.tensor([0.7, 0.2, 0.1]), atol=0.03)
    assert torch.allclose(equally, torch.full((3,), 1 / 3), atol=0.03)
    drawn = rows.draw(6000, 0.0, random).bincount(minlength=10) / 6000
    assert torch.allclose(drawn, torch.full((10,), 0.1), atol=0.02)


def test_the_class_counts_even_where_time_runs_out(
    tumours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training that ends by the clock goes through the whole ramp."""
    seen = []
    step = ClassGANPhase.step

    def watched(self: ClassGANPhase, factor: float, done: float = 0.0) -> Any:
        figures = step(self, factor, done)
        seen.append(self.weight)
        return figures

    monkeypatch.setattr(ClassGANPhase, "step", watched)
    endless = {"method": "latent", "max_steps": 10**9, "encoder_steps": 1}
    GANSampler(max_time=0.5, width=8, **endless).fit(*tumours)
    assert seen[0] == 0 and seen[-1] == 1
    assert seen == sorted(seen)


@pytest.fixture(scope="module")
def adult() -> tuple[pd.DataFrame, GANSampler]:
    """Rows of a real table, and a sampler of its two classes."""
    path = Path(__file__).parents[2] / "shared" / "data" / "tabular" / "adult" / "adult-train.csv"
    if not path.exists():
        pytest.skip("the table adult is not at hand")
    frame = pd.read_csv(path, header=None, na_values="?", skipinitialspace=True, nrows=2000)
    frame.columns = pd.Index([f"c{i}" for i in range(15)])
    sampler = GANSampler(**QUICK).fit(frame.drop(columns="c14"), frame["c14"])
    return frame, sampler


@pytest.mark.parametrize(
    "place", [*range(5), *(pytest.param(i, marks=pytest.mark.slow) for i in range(5, 14))]
)
def test_conditions_on_every_column_of_a_real_table(adult: Any, place: int) -> None:
    """Frequent, middling and rarest values, missing ones, and ranges of numbers; both classes."""
    frame, sampler = adult
    name = f"c{place}"
    counts = frame[name].value_counts()
    for value in counts.index[[0, len(counts) // 2, -1]]:
        rows, _ = sampler.sample(60, where={name: value})
        assert len(rows) == 60 and (rows[name] == value).all(), value
        assert (rows.dtypes == frame.dtypes[:14]).all()
    if frame[name].isna().any():
        rows, _ = sampler.sample(60, where={name: None})
        assert rows[name].isna().all()
    if frame[name].dtype.kind == "i":
        low, high = frame[name].quantile([0.5, 0.9])
        rows, labels = sampler.sample({"<=50K": 30, ">50K": 30}, where={name: (low, high)})
        assert rows[name].between(low, high).all()
        assert list(labels) == ["<=50K"] * 30 + [">50K"] * 30
