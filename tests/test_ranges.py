"""Units of columns by their ranges, and which channels of standardised rows vary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from augan import FAnoGAN
from augan.codecs.table import TableCodec
from augan.codecs.table_encoder import DEVIATIONS_A_RANGE


def units_of(*columns: np.ndarray) -> np.ndarray:
    """Return the units, in standard deviations, of the numbers of a table."""
    codec = TableCodec().fit(np.stack(columns, axis=1))
    units = codec.module.range_units
    assert units.shape == (codec.module.standard_size,)
    assert (units[len(columns) :] == 1).all()  # channels of missing values
    return units[: len(columns)].numpy()


def test_a_usual_column_has_a_quarter_of_its_middle_99_percent() -> None:
    random = np.random.default_rng(0)
    for x in (random.normal(size=5000), 3 + 1e6 * random.normal(size=5000), random.random(5000)):
        low, high = np.quantile(x, [0.005, 0.995])
        expected = max(1, (high - low) / DEVIATIONS_A_RANGE / x.std())
        assert units_of(x)[0] == pytest.approx(expected, rel=0.05)
    assert units_of(random.normal(size=5000))[0] == pytest.approx(2 * 2.5758 / 4, rel=0.06)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_a_column_of_zeros_and_ones_has_a_quarter_of_one(share: float) -> None:
    """Also if ones are rare: a one then lies ten deviations off, and still counts like others."""
    x = (np.arange(2000) < 2000 * share).astype(float)
    expected = max(1.0, 1 / DEVIATIONS_A_RANGE / x.std())
    assert units_of(x)[0] == pytest.approx(expected, rel=1e-4)
    distance = 1 / x.std() / units_of(x)[0]  # between zero and one
    assert distance == pytest.approx(min(1 / x.std(), DEVIATIONS_A_RANGE), rel=1e-4)


def test_a_column_of_few_values_goes_from_the_first_to_the_last() -> None:
    x = np.repeat([1.0, 2.0, 3.0, 100.0], [600, 300, 90, 10])
    assert units_of(x)[0] == pytest.approx(99 / DEVIATIONS_A_RANGE / x.std(), rel=1e-4)


def test_a_heavy_tail_widens_no_unit_by_its_last_values() -> None:
    """The deviation is that of a few values; 99 % of the rows are within one unit."""
    x = np.random.default_rng(0).standard_t(1, 5000)
    low, high = np.quantile(x, [0.005, 0.995])
    ratio = (high - low) / DEVIATIONS_A_RANGE / x.std()
    assert ratio < 1
    assert units_of(x)[0] == 1
    skewed = np.exp(2 * np.random.default_rng(0).normal(size=5000))
    low, high = np.quantile(skewed, [0.005, 0.995])
    expected = (high - low) / DEVIATIONS_A_RANGE / skewed.std()
    assert units_of(skewed)[0] == pytest.approx(max(1, expected), rel=0.1)


def test_columns_have_their_own_units() -> None:
    random = np.random.default_rng(0)
    columns = random.normal(size=1000), (random.random(1000) < 0.02) * 1.0, random.random(1000)
    alone = [units_of(x)[0] for x in columns]
    assert np.allclose(units_of(*columns), alone)


def test_units_follow_numbers_that_are_standardised_by_other_rows() -> None:
    """A unit is a share of the column's range, whatever the deviation is."""
    X = np.random.default_rng(0).normal(size=(500, 2))
    X[:, 1] = np.arange(500) < 20
    codec = TableCodec().fit(X)
    raw = codec.prepare(X)
    other = codec.module.standardised_by(raw[15:300], raw)
    for encoder in (codec.module, other):
        ranged = encoder(raw)[1][:, :2] / encoder.range_units[:2]
        spread = torch.tensor(X.max(axis=0) - X.min(axis=0))
        expected = encoder.column_range / DEVIATIONS_A_RANGE
        distance = ranged.amax(dim=0) - ranged.amin(dim=0)
        wide = encoder.range_units[:2] > 1
        assert wide.all()
        assert torch.allclose(distance.double(), spread / expected, rtol=1e-4)


def test_units_are_kept_in_a_file() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))
    X[:, 1] = np.arange(300) < 5
    codec = TableCodec().fit(X)
    again = TableCodec.from_state(*codec.state())
    assert torch.equal(again.module.range_units, codec.module.range_units)
    assert torch.equal(again.module.varying, codec.module.varying)
    assert again.n_rows == codec.n_rows == 300


# Channels that vary


def test_the_channels_that_vary_are_those_that_differ_between_training_rows(
    mixed_frame: pd.DataFrame,
) -> None:
    codec = TableCodec().fit(mixed_frame)
    standard = codec.module(codec.prepare(mixed_frame))[1]
    differ = (standard != standard[0]).any(dim=0).nonzero()[:, 0]
    assert differ.tolist() == [c for c in codec.module.varying.tolist() if c in differ]
    # "visits" is always 3, or missing
    others = sorted(set(codec.module.varying.tolist()) - set(differ.tolist()))
    names = [codec.columns[int(codec.module.standard_owner[c])].name for c in others]
    assert names == ["visits"]
    never = set(range(codec.module.standard_size)) - set(codec.module.varying.tolist())
    assert {"country", "comment"} <= {
        codec.columns[int(codec.module.standard_owner[c])].name for c in never
    }


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
@pytest.mark.parametrize("heads", ["auto", ("quantile_mahalanobis", "data_neighbors")])
def test_a_missing_value_where_none_was_missing_makes_a_row_abnormal(heads: object) -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=400)
    frame = pd.DataFrame({"a": a, "b": a + 0.1 * random.normal(size=400)})
    frame["kind"] = np.where(a > 0, "x", "y")
    frame["known"] = np.where(random.random(400) < 0.3, np.nan, random.normal(size=400))
    quick = {"pretext_steps": 60, "width": 32, "n_folds": 2, "random_state": 0}
    detector = FAnoGAN(heads=heads, **quick).fit(frame[:300])
    usual, scores = frame[300:], detector.anomaly_score(frame[300:])
    for name in ("a", "b", "kind"):
        odd = usual.assign(**{name: None if name == "kind" else np.nan})
        found = detector.anomaly_score(odd)
        assert (found > scores).all(), name
        assert (detector.predict(odd) == -1).mean() > 0.95, name
        explained = detector.explain(odd).to_numpy()
        own = list(frame.columns).index(name)
        assert (explained.argmax(axis=1) == own).mean() > 0.9, name
    known = usual.assign(known=np.nan)
    assert (detector.predict(known) == -1).mean() < 0.3


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
def test_a_rare_value_weighs_as_much_as_a_usual_distance() -> None:
    """A one among rare ones is as far as four deviations, not as thirty."""
    random = np.random.default_rng(0)
    X = random.normal(size=(1500, 3))
    X[:, 2] = random.random(1500) < 0.004
    detector = FAnoGAN(heads=("data_neighbors",), n_folds=2, random_state=0).fit(X[:1000])
    view = detector.scorer_.view(detector.codec_.prepare(X))
    column = view.ranged[:, 2]
    assert (column.max() - column.min()).item() == pytest.approx(DEVIATIONS_A_RANGE, rel=1e-3)
    assert view.standard[:, 2].max() > 10
