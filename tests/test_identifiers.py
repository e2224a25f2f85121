"""Text identifiers: new texts of the same form, never real ones."""

from __future__ import annotations

import base64
import json
import re
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

import augan
from augan import GANSampler, OnnxGenerator
from augan.codecs.table import TableCodec
from augan.codecs.text_form import LEAST_BITS, TextForm
from augan.exceptions import DataWarning
from augan.io.schema_columns import FormState

pytestmark = [
    pytest.mark.filterwarnings("ignore:column .* has a different string:UserWarning"),
    pytest.mark.filterwarnings("ignore:no CUDA device:UserWarning"),
]
QUICK: dict[str, Any] = {"max_steps": 60, "random_state": 0}


def new_texts(texts: list[str], n: int = 500) -> list[str]:
    found = TextForm.of(texts).draw(n, np.random.default_rng(0)).tolist()
    assert len(set(found)) == n
    assert not set(found) & set(texts)
    return found


def test_texts_have_the_form_of_the_real_ones() -> None:
    texts = [f"CUST-{37 * i % 100_000:05d}/{'ABC'[i % 3]}x" for i in range(300)]
    assert all(re.fullmatch(r"CUST-\d{5}/[ABC]x", text) for text in new_texts(texts))


def test_lengths_and_punctuation_vary_as_in_the_real_texts() -> None:
    names = ["Ana Li", "Bo O'Hara", "Éva Øre", "Max", "李 小龍"]
    texts = [f"{name} {'x' * (i % 7)}{i}" for i, name in enumerate(names * 20)]
    shapes = {re.sub(r"\w", "c", text) for text in texts}
    assert {re.sub(r"\w", "c", text) for text in new_texts(texts)} <= shapes


def test_texts_get_longer_when_all_others_of_the_form_are_real() -> None:
    found = new_texts([f"n{i}" for i in range(10)], 200)
    assert all(re.fullmatch(r"n\d{2,}", text) for text in found)


def test_texts_without_letters_and_digits() -> None:
    assert all(
        text.strip("*-")[-1:].isdigit() for text in new_texts(["*" * i for i in range(1, 40)])
    )


def test_the_filter_holds_all_real_texts_and_few_others() -> None:
    texts = [f"id {i}" for i in range(2000)]
    form = TextForm.of(texts)
    others = np.array([f"other {i}" for i in range(2000)], dtype=object)
    assert form._is_seen(np.array(texts, dtype=object)).all()
    assert form._is_seen(others).mean() < 0.1
    assert "id 1234" not in repr(form)
    assert len(base64.b64decode(TextForm.of(["a", "b"]).seen)) * 8 == LEAST_BITS


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(0)
    n = 400
    rows = pd.DataFrame(
        {
            "customer": [f"C{i:06d}" for i in random.permutation(900_000)[:n]],
            "phone": [f"+49 {a:03d} {b}" for a, b in random.integers(100, 10**6, (n, 2))],
            "amount": random.normal(50, 10, n).round(2),
            "kind": random.choice(["shop", "web"], n),
        }
    )
    rows["phone"] = rows["phone"].where(random.random(n) < 0.7, None)
    return rows, pd.Series((random.random(n) < 0.3).astype(int))


@pytest.fixture(scope="module")
def sampler(table: Any) -> GANSampler:
    with warnings.catch_warnings(action="ignore"):
        return GANSampler(**QUICK).fit(*table)


def check(rows: pd.DataFrame, real: pd.DataFrame) -> None:
    assert rows["customer"].str.fullmatch(r"C\d{6}").all()
    for name in ("customer", "phone"):
        known = rows[name].dropna()
        assert known.is_unique
        assert not set(known) & set(real[name])
    assert rows["phone"].dropna().str.fullmatch(r"\+49 \d+ \d+").all()
    assert rows["phone"].isna().mean() == pytest.approx(0.3, abs=0.1)


def test_new_rows_have_new_identifiers(table: Any, sampler: GANSampler) -> None:
    rows, _ = sampler.sample(400)
    check(rows, table[0])
    pd.testing.assert_frame_equal(rows, sampler.sample(400)[0])  # as of the same random_state


def test_rows_from_the_data_have_new_identifiers_too(table: Any) -> None:
    check(GANSampler(method="data", **QUICK).fit(*table).sample(400)[0], table[0])


def test_resampling_keeps_the_real_identifiers(table: Any, sampler: GANSampler) -> None:
    X, y = table
    both, labels = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(both.iloc[: len(X)], X)
    assert not set(both["customer"].iloc[len(X) :]) & set(X["customer"])
    assert (labels == 1).sum() == (labels == 0).sum()


def test_missing_identifiers_are_filled_with_new_ones(table: Any, sampler: GANSampler) -> None:
    X = table[0]
    filled = sampler.impute(X.assign(customer=X["customer"].where(X.index > 5, None)))
    assert filled.notna().all(axis=None)
    assert (filled["customer"][6:] == X["customer"][6:]).all()
    assert not set(filled["customer"][:6]) & set(X["customer"])


def test_files_make_the_same_identifiers(table: Any, sampler: GANSampler, tmp_path: Path) -> None:
    sampler.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    pd.testing.assert_frame_equal(loaded.sample(50)[0], sampler.sample(50)[0])
    assert not any(
        text.encode() in (tmp_path / "m.augan").read_bytes() for text in table[0]["customer"]
    )


def test_exported_generators_make_new_identifiers(
    table: Any, sampler: GANSampler, tmp_path: Path
) -> None:
    sampler.export_onnx(tmp_path / "m.onnx")
    rows, _ = OnnxGenerator(tmp_path / "m.onnx").sample(400, random_state=0)
    check(rows, table[0])


def test_encoded_rows_say_nothing_of_identifiers(table: Any) -> None:
    X, _ = table
    with pytest.warns(DataWarning, match="'customer' has a different string in each row"):
        codec = TableCodec().fit(X)
    renamed = X.assign(customer=[f"X{i}" for i in range(len(X))])
    torch.testing.assert_close(codec.encode(X), codec.encode(renamed))
    assert not any(text in str(codec.state()) for text in X["customer"])
    assert not any(text in str(codec.usual(X)) for text in X["customer"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"letters": ["", "", "", ""]}, "there are none"),
        ({"letters": ["", "A", "", ""]}, "there are none for '0'"),
        ({"seen": "###."}, "seen is not in Base64"),
        ({"shapes": []}, "shapes"),
    ],
)
def test_damaged_forms_are_refused(change: Any, says: str) -> None:
    form = json.loads(json.dumps(asdict(TextForm.of([f"A{i}" for i in range(30)]))))
    FormState.model_validate(form)
    with pytest.raises(ValidationError, match=says):
        FormState.model_validate(form | change)
