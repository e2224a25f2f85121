"""What must hold for every detector, whatever the data: see the faults of the field's own code."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score
from torch import nn

from augan import AnoGAN, FAnoGAN
from augan.exceptions import ParameterError
from augan.networks.layers import steady_product
from augan.scoring.heads import HEADS
from augan.training import trainer

QUICK: dict[str, Any] = {
    **{"max_steps": 40, "n_critic": 2, "width": 16, "latent_dim": 4},
    **{"pretext_steps": 40, "n_folds": 2},
}
HURRIED: dict[str, Any] = {**QUICK, "max_steps": 5, "pretext_steps": 5}
GAN_HEADS = tuple(name for name, head in HEADS.items() if head.needs == "gan")
DETECTORS = [
    *("table_detector", "default_detector", "search_detector"),
    "image_detector",
    pytest.param("image_search_detector", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def image_search_detector(digits: np.ndarray) -> AnoGAN:
    heads = ("data_residual", "latent", "transforms", "data_neighbors")
    quick = {**QUICK, "width": 4, "heads": heads}
    return AnoGAN(search_steps=5, random_state=0, **quick).fit(digits)


@pytest.fixture(params=DETECTORS)
def fitted(request: pytest.FixtureRequest) -> Any:
    """Return a fitted detector and rows, for each kind of inversion and of data."""
    detector = request.getfixturevalue(request.param)
    kind = "digits" if "image" in request.param else "mixed_frame"
    rows = request.getfixturevalue(kind)
    return detector, rows[:40] if "search" in request.param else rows[:80]


def rows_of(X: Any, index: Any) -> Any:
    return X.iloc[index] if isinstance(X, pd.DataFrame) else X[index]


def same(a: Any, b: Any) -> None:
    if isinstance(a, pd.DataFrame):
        assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True)
    else:
        assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["anomaly_score", "score_parts", "explain", "reconstruct"])
def test_a_row_is_scored_the_same_whatever_stands_beside_it(fitted: Any, method: str) -> None:
    detector, X = fitted
    score = getattr(detector, method)
    whole, n = score(X), len(X)
    assert len(whole) == n
    shuffled = np.random.default_rng(0).permutation(n)
    same(score(rows_of(X, shuffled)), rows_of(whole, shuffled))
    for index in ([0], [5, 5, 5], range(7, 20), [n - 1, 0]):
        same(score(rows_of(X, list(index))), rows_of(whole, list(index)))


def test_more_rows_than_a_chunk_are_scored_once_each(table_detector: FAnoGAN) -> None:
    chunk = table_detector.model_.config.chunk
    random = np.random.default_rng(0)
    frame = table_detector.sample(2 * chunk + 37, random_state=1)
    scores = table_detector.anomaly_score(frame)
    assert scores.shape == (2 * chunk + 37,)
    for i in (0, chunk - 1, chunk, 2 * chunk, 2 * chunk + 36, *random.integers(0, 2 * chunk, 5)):
        assert_array_equal(table_detector.anomaly_score(frame.iloc[[i]]), scores[[i]])


@pytest.mark.parametrize("heads", ["auto", ("quantile_mahalanobis", "quantile_neighbors")])
def test_few_rows_of_a_table_have_exactly_the_scores_of_many(
    heads: Any, mixed_frame: pd.DataFrame
) -> None:
    """Few rows are scored in chunks of sixteen, many in chunks of hundreds."""
    quick: dict[str, Any] = {"pretext_steps": 20, "width": 64, "n_folds": 2, "random_state": 0}
    detector = FAnoGAN(heads=heads, **quick).fit(mixed_frame)
    assert not detector.networks_.has_generator
    together = detector.assess(mixed_frame, explain=True)
    for n in (1, 2, 15, 16, 17, 40):
        for start in (0, 100, 333):
            part = slice(start, start + n)
            found = detector.assess(mixed_frame.iloc[part], explain=True)
            assert_array_equal(found.anomaly_score, together.anomaly_score[part])
            assert_array_equal(found.score_parts, together.score_parts[part])
            assert_array_equal(found.explanation, together.explanation[part])


@pytest.mark.filterwarnings("ignore:images of")  # one is brighter than any in training
def test_an_outlier_among_the_rows_changes_no_other_score(fitted: Any) -> None:
    detector, X = fitted
    alone = detector.anomaly_score(X)
    if isinstance(X, pd.DataFrame):
        odd = X.copy()
        odd.loc[0, ["amount", "score"]] = 1e30
    else:
        odd = X.copy()
        odd[0] = 1e6
    changed = detector.anomaly_score(odd)
    assert changed[0] != alone[0]
    assert_array_equal(changed[1:], alone[1:])


def test_scoring_changes_no_weight_and_no_random_stream(
    fitted: Any, untouched_random_state: None
) -> None:
    detector, X = fitted
    weights = copy.deepcopy(detector.scorer_.state_dict())
    first = detector.anomaly_score(X)
    for method in ("predict", "p_value", "score_parts", "explain", "reconstruct"):
        getattr(detector, method)(X)
    detector.sample(5)
    detector.sample(5, random_state=np.random.RandomState(3))
    after = detector.scorer_.state_dict()
    assert list(after) == list(weights)
    for name, value in weights.items():
        assert torch.equal(value, after[name]), name
    assert not any(p.requires_grad or p.grad is not None for p in detector.scorer_.parameters())
    assert not any(module.training for module in detector.scorer_.modules())
    assert_array_equal(detector.anomaly_score(X), first)


@pytest.mark.parametrize("fitted", ["default_detector", "image_detector"], indirect=True)
def test_several_threads_score_as_one_does(fitted: Any) -> None:
    detector, X = fitted
    parts = [rows_of(X, list(range(start, len(X), 4))) for start in range(4)]
    alone = [detector.anomaly_score(part) for part in parts]
    weights = copy.deepcopy(detector.scorer_.state_dict())
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.anomaly_score, parts * 2))
    for scores, expected in zip(together, alone * 2, strict=True):
        assert_array_equal(scores, expected)
    for name, value in detector.scorer_.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize("n_components", [1, 2, 7, 11, 15, 16, 40])
@pytest.mark.parametrize("n_features", [2, 9, 70])
def test_a_product_with_few_components_is_the_same_wherever_a_row_stands(
    n_features: int, n_components: int
) -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(512, n_features, generator=random)
    matrix = torch.randn(n_features, n_components, generator=random)
    found, order = steady_product(rows, matrix), torch.randperm(512, generator=random)
    assert torch.equal(steady_product(rows[order], matrix), found[order])
    alone = steady_product(rows[torch.full((512,), 5)], matrix)
    assert torch.equal(alone[[0, 511]], found[[5, 5]])
    torch.testing.assert_close(found, rows @ matrix)


@pytest.mark.parametrize("n", [3, 12])
def test_rows_are_scored_alike_anywhere_by_models_of_a_few_rows(n: int) -> None:
    X = np.random.default_rng(n).normal(size=(n, 2))
    heads = ("pretext_mahalanobis", "pretext_neighbors", "critic_mahalanobis", "critic_neighbors")
    params = {**HURRIED, "width": 70, "encoder_steps": 5, "heads": heads}  # 140 features
    detector = FAnoGAN(random_state=0, **params).fit(X)
    rows = np.random.default_rng(1).normal(size=(60, 2))
    whole, order = detector.score_parts(rows), np.random.default_rng(0).permutation(60)
    same(detector.score_parts(rows[order]), whole.iloc[order])
    for i in (0, 31, 59):
        same(detector.score_parts(rows[[i]]), whole.iloc[[i]])


@pytest.mark.parametrize(
    ("kind", "cls", "random_state"),
    [
        *(("table", FAnoGAN, 0), ("table", AnoGAN, None)),
        *(("images", FAnoGAN, None), ("images", AnoGAN, 0)),
    ],
)
def test_fit_score_and_sample_leave_the_global_random_streams(
    cls: Any, random_state: Any, kind: str, digits: np.ndarray, untouched_random_state: None
) -> None:
    X = digits[:40] if kind == "images" else digits[:40, 3]
    detector = cls(random_state=random_state, **HURRIED).set_params(
        **({"encoder_steps": 5} if cls is FAnoGAN else {"search_steps": 3})
    )
    assert detector.fit(X).score_samples(X).shape == (40,)
    assert len(detector.sample(3)) == len(detector.sample(3, random_state=5)) == 3


def test_a_random_state_object_is_drawn_from_and_the_global_ones_are_not(
    untouched_random_state: None,
) -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    params = {**HURRIED, "encoder_steps": 5}
    first = FAnoGAN(random_state=np.random.RandomState(7), **params).fit(X)
    again = FAnoGAN(random_state=np.random.RandomState(7), **params).fit(X)
    assert_array_equal(first.score_samples(X), again.score_samples(X))


def test_different_rows_get_different_latents(fitted: Any) -> None:
    detector, X = fitted
    inversion = copy.deepcopy(detector.scorer_.inversion)
    inversion.n_steps = 100  # a search as long as by default
    with torch.no_grad():
        z = inversion(detector.codec_.encode(X))
    distinct = np.unique(z.numpy(), axis=0)
    n_rows = len(X.drop_duplicates()) if isinstance(X, pd.DataFrame) else len(np.unique(X, axis=0))
    assert len(distinct) == n_rows
    assert z.std(dim=0).min() > 1e-3


@pytest.mark.parametrize("cls", [FAnoGAN, AnoGAN])
def test_the_seed_decides_everything(cls: Any, mixed_frame: pd.DataFrame) -> None:
    frame = mixed_frame[:120]

    def fit(seed: int) -> Any:
        own = {"encoder_steps": 10} if cls is FAnoGAN else {"search_steps": 10}
        return cls(random_state=seed, **{**HURRIED, **own}).fit(frame)

    first, same_seed, other = fit(1), fit(1), fit(2)
    assert_array_equal(first.anomaly_score(frame), same_seed.anomaly_score(frame))
    assert first.offset_ == same_seed.offset_
    assert_frame_equal(first.sample(30), same_seed.sample(30))
    assert_frame_equal(first.sample(30), first.sample(30))
    for name, value in first.scorer_.state_dict().items():
        assert torch.equal(value, same_seed.scorer_.state_dict()[name]), name
    assert (first.anomaly_score(frame) != other.anomaly_score(frame)).all()
    assert not first.sample(30).equals(other.sample(30))
    scores = first.anomaly_score(frame)
    assert_array_equal(first.fit(frame).anomaly_score(frame), scores)


def test_without_a_seed_every_fit_and_every_sample_is_another() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    detector = FAnoGAN(encoder_steps=5, **HURRIED)
    first = detector.fit(X).score_samples(X)
    assert (detector.fit(X).score_samples(X) != first).any()
    assert (detector.sample(5) != detector.sample(5)).any()
    assert_array_equal(detector.sample(5, random_state=1), detector.sample(5, random_state=1))
    assert (detector.sample(5, random_state=1) != detector.sample(5, random_state=2)).any()


def test_the_global_random_stream_does_not_matter() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    detector = FAnoGAN(random_state=0, encoder_steps=5, **HURRIED)
    torch.manual_seed(1)
    first = detector.fit(X).score_samples(X)
    torch.manual_seed(2)
    assert_array_equal(detector.fit(X).score_samples(X), first)


@pytest.fixture(scope="module")
def cancer() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Benign training rows; other rows, and which of them are malignant."""
    data = load_breast_cancer(as_frame=True)
    benign = np.flatnonzero(data.target == 1)
    malignant = np.flatnonzero(data.target == 0)
    test = np.r_[benign[250:], malignant]
    return data.data.iloc[benign[:250]], data.data.iloc[test], (data.target.iloc[test] == 0)


@pytest.mark.parametrize(
    ("cls", "given", "floor"),
    [
        (FAnoGAN, {}, 0.93),
        pytest.param(FAnoGAN, {"heads": GAN_HEADS}, 0.9, marks=pytest.mark.slow),
        pytest.param(FAnoGAN, {"scoring": "paper"}, 0.8, marks=pytest.mark.slow),
        pytest.param(AnoGAN, {}, 0.93, marks=pytest.mark.slow),
        pytest.param(AnoGAN, {"heads": GAN_HEADS}, 0.8, marks=pytest.mark.slow),
        pytest.param(AnoGAN, {"scoring": "paper"}, 0.8, marks=pytest.mark.slow),
    ],
)
def test_malignant_cells_score_higher(cls: Any, given: Any, floor: float, cancer: Any) -> None:
    train, test, is_malignant = cancer
    detector = cls(random_state=0, **{**QUICK, "max_steps": 100, "width": 64}, **given)
    own = {"encoder_steps": 100} if cls is FAnoGAN else {"search_steps": 30}
    detector.set_params(latent_dim=8, **own).fit(train)
    assert roc_auc_score(is_malignant, detector.anomaly_score(test)) >= floor
    assert roc_auc_score(is_malignant, -detector.score_samples(test)) >= floor
    assert roc_auc_score(is_malignant, -detector.decision_function(test)) >= floor
    assert roc_auc_score(is_malignant, -detector.p_value(test)) >= floor - 0.1
    flagged = detector.predict(test) == -1
    assert flagged[is_malignant].mean() > flagged[~is_malignant].mean()


@pytest.mark.parametrize(
    ("cls", "heads"),
    [
        (FAnoGAN, GAN_HEADS),
        pytest.param(FAnoGAN, "auto", marks=pytest.mark.slow),  # as in the next test of digits
        pytest.param(AnoGAN, "auto", marks=pytest.mark.slow),
        pytest.param(AnoGAN, GAN_HEADS, marks=pytest.mark.slow),
    ],
)
def test_other_digits_score_higher(cls: Any, heads: Any) -> None:
    data = load_digits()
    zeros, others = data.images[data.target == 0], data.images[data.target != 0][:200]
    own = {"encoder_steps": 100} if cls is FAnoGAN else {"search_steps": 20}
    detector = cls(heads=heads, random_state=0, **{**QUICK, "max_steps": 100, "width": 8}, **own)
    detector.set_params(latent_dim=16, pretext_steps=100).fit(zeros[:120])
    test = np.vstack([zeros[120:], others])
    is_other = np.arange(len(test)) >= len(zeros) - 120
    assert roc_auc_score(is_other, detector.anomaly_score(test)) >= 0.9


FEW_STEPS: dict[str, Any] = {"max_steps": 200, "encoder_steps": 50, "random_state": 0}


@pytest.mark.slow  # by default with smaller networks: test_malignant_cells_score_higher
def test_the_defaults_tell_malignant_cells(cancer: Any) -> None:
    train, test, is_malignant = cancer
    detector = FAnoGAN(pretext_steps=300, **FEW_STEPS).fit(train)
    assert roc_auc_score(is_malignant, detector.anomaly_score(test)) > 0.93


@pytest.mark.slow  # by default with smaller networks: test_other_digits_score_higher
@pytest.mark.parametrize("digit", [0, 3, 8])
def test_the_defaults_tell_other_digits(digit: int) -> None:
    data = load_digits()
    normal, others = data.images[data.target == digit], data.images[data.target != digit]
    detector = FAnoGAN(pretext_steps=100, **{**FEW_STEPS, "max_steps": 20}).fit(normal[:120])
    test = np.vstack([normal[120:], others])
    is_other = np.arange(len(test)) >= len(normal) - 120
    assert roc_auc_score(is_other, detector.anomaly_score(test)) > 0.9


@pytest.mark.parametrize("n", [1, 2, 100, 1024, 1025, 2500])
def test_sample_gives_exactly_what_was_asked_for(n: int, table_detector: FAnoGAN) -> None:
    assert len(table_detector.sample(n)) == n


def test_samples_look_like_the_training_rows(
    table_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    rows = table_detector.sample(700, random_state=1)
    assert list(rows.columns) == list(mixed_frame.columns)
    assert (rows.dtypes == mixed_frame.dtypes).all()
    for name in ("amount", "count", "score", "visits", "day"):
        assert rows[name].min() >= mixed_frame[name].min()
        assert rows[name].max() <= mixed_frame[name].max()
    assert_array_equal(rows["amount"], rows["amount"].round(2))
    assert set(rows["shop"]) <= {"north", "south", "web"}
    assert list(rows["grade"].cat.categories) == ["low", "mid", "high"]
    assert rows["grade"].cat.ordered
    assert "mid" not in set(rows["grade"])
    assert (rows["country"] == "DE").all()
    assert rows["comment"].isna().all()
    assert set(rows["visits"].dropna()) <= {3}
    assert not rows[["amount", "count", "shop", "grade", "member", "day"]].isna().any(axis=None)
    assert np.isfinite(table_detector.anomaly_score(rows)).all()


def test_sampled_images_look_like_the_training_images(
    image_detector: FAnoGAN, digits: np.ndarray
) -> None:
    images = image_detector.sample(9, random_state=0)
    assert images.shape == (9, *digits.shape[1:])
    assert images.dtype == digits.dtype
    assert digits.min() <= images.min() <= images.max() <= digits.max()


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", None, True])
def test_a_number_of_samples_that_makes_no_sense(n: Any, table_detector: FAnoGAN) -> None:
    with pytest.raises(ParameterError, match=rf"n_samples={n!r}: .* integer of at least 1"):
        table_detector.sample(n)


def test_a_seed_of_samples_that_makes_no_sense(table_detector: FAnoGAN) -> None:
    with pytest.raises(ParameterError, match="random_state='a': must be None, an integer"):
        table_detector.sample(3, random_state="a")


@pytest.mark.parametrize("name", ["table_detector", "image_detector"])
def test_latents_are_unbounded(name: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(name)
    assert isinstance(list(detector.networks_.encoder.modules())[-1], nn.Linear)
    x = torch.randn(4, *_shape(detector), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        near, far = detector.networks_.encoder(x), detector.networks_.encoder(1e4 * x)
    bound = 50 * detector.networks_.latent_dim**0.5  # no draw from the prior lies there
    assert (far.norm(dim=1) > bound).all()
    assert (far.norm(dim=1) > 100 * near.norm(dim=1)).all()


def _shape(detector: Any) -> tuple[int, ...]:
    spec = detector.codec_.spec
    return (spec.size,) if hasattr(spec, "size") else (spec.channels, spec.height, spec.width)


def test_a_search_can_leave_the_prior(search_detector: AnoGAN) -> None:
    far = copy.deepcopy(search_detector.scorer_.inversion)
    far.n_steps, far.lr = 200, 1.0
    x = torch.full((3, search_detector.codec_.spec.size), 50.0)
    assert (far(x).norm(dim=1) > 10 * search_detector.networks_.latent_dim**0.5).all()


def test_a_penalised_critic_mixes_no_rows(fitted: Any) -> None:
    critic = fitted[0].networks_.critic
    mixing = (nn.modules.batchnorm._BatchNorm, nn.Dropout, nn.modules.dropout._DropoutNd)
    assert not any(isinstance(module, mixing) for module in critic.modules())


def test_the_features_are_not_the_output_of_the_critic(fitted: Any) -> None:
    detector, X = fitted
    x = detector.codec_.encode(X[:5])
    features = detector.networks_.critic.features(x)
    assert features.shape[1] == detector.networks_.critic.n_features > 1
    assert features.abs().max() > 1e-6


def test_p_values_against_a_plain_loop(fitted: Any) -> None:
    detector, X = fitted
    held_out = detector.scorer_.conformal.scores.tolist()
    scores = [*detector.anomaly_score(X), min(held_out) - 1, max(held_out) + 1, *held_out[:3]]
    expected = np.array(
        [
            (1 + sum(1 for other in held_out if other >= score)) / (len(held_out) + 1)
            for score in scores
        ]
    )
    assert expected.min() == 1 / (len(held_out) + 1)
    assert expected.max() == 1.0
    known = np.array(scores) <= max(held_out)
    found = detector.p_value_of(np.array(scores))
    assert_array_equal(found[known], expected[known])
    n_tail = min(max(10, round(0.1 * len(held_out))), len(held_out) - 1)
    *_, start = sorted(held_out)[: len(held_out) - n_tail]
    mean = sum(score - start for score in sorted(held_out)[-n_tail:]) / n_tail
    beyond = np.array(scores)[~known] - max(held_out)
    assert len(beyond) > 0
    np.testing.assert_allclose(found[~known], expected[~known] * np.exp(-beyond / mean), rtol=1e-9)
    assert_array_equal(detector.p_value(X), found[: len(X)])


@pytest.mark.parametrize(("share", "n"), [(0.2, 20), (0.5, 50), (0.001, 1), (0.999, 99)])
def test_rows_are_held_out_from_the_gan_and_the_heads_learn_from_all(
    share: float, n: int, mixed_frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def run_phase(phase: Any, *args: Any, **kwargs: Any) -> None:
        seen[phase.name] = phase.train, phase.held_out
        original(phase, *args, **kwargs)

    original = trainer.run_phase
    monkeypatch.setattr(trainer, "run_phase", run_phase)
    frame, heads = mixed_frame[:100], ("latent", "data_neighbors")
    detector = FAnoGAN(
        validation_fraction=share, heads=heads, encoder_steps=3, random_state=0, **HURRIED
    ).fit(frame)
    rows = sorted(map(tuple, detector.codec_.encode(frame).tolist()))
    for train, held_out in seen.values():
        assert (len(train), len(held_out)) == (100 - n, n)
        assert sorted(map(tuple, [*train.tolist(), *held_out.tolist()])) == rows
    assert list(seen) == ["gan", "encoder"]
    assert len(detector.scorer_.conformal.scores) == n
    ranged = detector.scorer_.view(detector.codec_.prepare(frame)).ranged
    centre = detector.scorer_.heads["data_neighbors"].centre
    assert torch.allclose(centre, ranged.mean(dim=0), atol=1e-5)


def test_extreme_rows_have_scores(table_detector: FAnoGAN, search_detector: AnoGAN) -> None:
    frame = pd.DataFrame(
        {
            "amount": [1e30, -1e30, 1.7e308, np.nan, 1e-300],
            "count": [10**18, -(10**18), 0, 4, 4],
            "score": [1e30, -1e300, np.nan, np.nan, 0.0],
            "visits": pd.array([None, 10**15, 3, None, 3], dtype="Int64"),
            "shop": ["moon", None, "x" * 10000, None, "web"],
            "grade": ["mid", None, "low", None, "low"],
            "member": [True, None, "yes", None, False],
            "day": [pd.Timestamp("1700-01-01"), pd.Timestamp("2250-01-01"), None, None, None],
            "country": ["FR", None, "DE", None, "DE"],
            "comment": ["hello", None, 5, None, None],
        }
    )
    for detector in (table_detector, search_detector):
        scores = detector.anomaly_score(frame)
        assert np.isfinite(scores).all()
        assert np.isfinite(detector.score_parts(frame)).all(axis=None)
        assert np.isfinite(detector.explain(frame)).all(axis=None)
        assert (detector.predict(frame)[:4] == -1).all()
        assert len(detector.reconstruct(frame)) == 5


@pytest.mark.filterwarnings("ignore:images of")  # no image of training was as bright
def test_extreme_images_have_scores(image_detector: FAnoGAN, digits: np.ndarray) -> None:
    images = np.stack([digits[0] * 0, digits[0] * 0 + 1e6, digits[0] * 0 - 1e6, digits[0] * 1e9])
    assert np.isfinite(image_detector.anomaly_score(images)).all()
    assert np.isfinite(image_detector.explain(images)).all()
    assert image_detector.reconstruct(images).max() <= digits.max()


@pytest.mark.parametrize("score", ["calibrated", "paper"])
@pytest.mark.parametrize("cls", [FAnoGAN, AnoGAN])
def test_the_further_out_the_higher_the_score(cls: Any, score: str) -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    own = {"encoder_steps": 40} if cls is FAnoGAN else {"search_steps": 10}
    detector = cls(scoring=score, random_state=0, **QUICK, **own).fit(X)
    far = np.array([[0, 0, 0], [6, -6, 6], [60, -60, 60], [1e6, -1e6, 1e6]])
    assert (np.diff(detector.anomaly_score(far)) > 0).all()


ODD_VALUES = {"amount": 1e6, "count": 90, "shop": "moon", "country": "FR"}


@pytest.mark.slow  # by default: test_explain_rises_most_in_the_column_that_changed
@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")  # all rows are odd
def test_explain_names_the_column(mixed_frame: pd.DataFrame) -> None:
    """Some rows have another column that is more unusual than a shop that never was."""
    steps = {"max_steps": 200, "encoder_steps": 200, "pretext_steps": 400}
    detector = FAnoGAN(n_folds=2, random_state=0, **steps).fit(mixed_frame)
    for name, value in ODD_VALUES.items():
        odd = mixed_frame[:50].assign(**{name: value})
        assert (detector.explain(odd).idxmax(axis=1) == name).mean() > 0.9, name


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
@pytest.mark.parametrize("name", ["table_detector", "default_detector", "search_detector"])
def test_explain_rises_most_in_the_column_that_changed(
    name: str, request: pytest.FixtureRequest, mixed_frame: pd.DataFrame
) -> None:
    detector, rows = request.getfixturevalue(name), mixed_frame[:30]
    before = detector.explain(rows)
    for column, value in ODD_VALUES.items():
        rise = detector.explain(rows.assign(**{column: value})) - before
        assert (rise.idxmax(axis=1) == column).mean() > 0.9, column


def test_scoring_is_not_normalised_by_what_is_scored(fitted: Any) -> None:
    detector, X = fitted
    some = detector.anomaly_score(rows_of(X, list(range(10))))
    doubled = detector.anomaly_score(rows_of(X, [*range(10), *range(10)]))
    assert_array_equal(doubled, np.tile(some, 2))
    assert_array_equal(detector.p_value(rows_of(X, [3])), detector.p_value(X)[[3]])
