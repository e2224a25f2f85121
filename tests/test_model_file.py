"""The model file: what comes out is what went in, and nothing else is ever loaded."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from augan_cli.app import app
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sklearn.dummy import DummyClassifier
from typer.testing import CliRunner

import augan
from augan import GANSampler
from augan.exceptions import ModelFileError
from augan.io import archive as model_archive
from augan.io.tensors import read_tensors

DETECTORS = ["table_detector", "default_detector", "search_detector", "image_detector"]
Manifest = dict[str, Any]
pytestmark = pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")


@pytest.fixture(scope="module")
def saved(
    table_detector: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Manifest, dict[str, torch.Tensor]]:
    """The manifest and the tensors of a saved detector."""
    return parts_of(table_detector, tmp_path_factory.mktemp("saved") / "m.augan")


def parts_of(detector: Any, path: Path) -> tuple[Manifest, dict[str, torch.Tensor]]:
    detector.save(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        return manifest, load_tensors(archive.read("weights.safetensors"))


def write_model(path: Path, manifest: Any, tensors: dict[str, torch.Tensor], **zip_: Any) -> Path:
    """Write a model file with a checksum that fits its weights."""
    weights = save_tensors(tensors)
    if isinstance(manifest, dict):
        manifest = {**manifest, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    with zipfile.ZipFile(path, "w", **zip_) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("weights.safetensors", weights)
    return path


def assert_refused(path: Path, says: str = "") -> None:
    """Check that neither the model nor its manifest is read, and that one line names the file."""
    for load in (augan.load, model_archive.read_manifest):
        with pytest.raises(ModelFileError) as error:
            load(path)
        message = str(error.value)
        assert str(path) in message and says in message
        assert len(message.splitlines()) == 1


def assert_not_loaded(path: Path, says: str = "") -> None:
    """As `assert_refused`, for what only building the estimator can find."""
    with pytest.raises(ModelFileError) as error:
        augan.load(path)
    assert str(path) in str(error.value) and says in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def rows_of(request: pytest.FixtureRequest, name: str) -> Any:
    """Return rows to score: training rows, missing and extreme ones; images upside down too."""
    if name == "image_detector":
        digits = request.getfixturevalue("digits")
        return np.concatenate([digits[:40], digits[:20, ::-1]])
    frame = request.getfixturevalue("mixed_frame")
    odd = frame.head(10).assign(amount=1e9, score=np.nan, shop="never seen")
    return pd.concat([frame.head(60), odd], ignore_index=True)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, pd.DataFrame):
        return a.equals(b) and (a.dtypes == b.dtypes).all()
    return bool(np.array_equal(a, b)) and a.dtype == b.dtype


@pytest.mark.parametrize("name", DETECTORS)
def test_a_loaded_model_does_all_as_the_one_that_was_saved(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    detector, rows = request.getfixturevalue(name), rows_of(request, name)
    detector.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    assert type(loaded) is type(detector)
    assert np.array_equal(loaded.anomaly_score(rows), detector.anomaly_score(rows))
    assert np.array_equal(loaded.p_value(rows), detector.p_value(rows))
    assert np.array_equal(loaded.predict(rows), detector.predict(rows))
    for method in ("score_parts", "explain", "reconstruct"):
        assert equal(getattr(loaded, method)(rows), getattr(detector, method)(rows)), method
    assert equal(loaded.sample(30, random_state=5), detector.sample(30, random_state=5))
    assert loaded.threshold_ == detector.threshold_
    assert loaded.get_params() == detector.get_params()
    assert loaded.n_features_in_ == detector.n_features_in_
    names = getattr(detector, "feature_names_in_", np.array([])).tolist()
    assert getattr(loaded, "feature_names_in_", np.array([])).tolist() == names
    assert len(loaded.history_) == len(detector.history_)
    for row, kept in zip(detector.history_, loaded.history_, strict=True):
        assert kept == {k: None if v != v else v for k, v in row.items()}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_loaded_model_is_saved_again_byte_by_byte(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    request.getfixturevalue(name).save(tmp_path / "a.augan")
    augan.load(tmp_path / "a.augan").save(tmp_path / "b.augan")
    with zipfile.ZipFile(tmp_path / "a.augan") as a, zipfile.ZipFile(tmp_path / "b.augan") as b:
        assert a.namelist() == b.namelist() == ["manifest.json", "weights.safetensors"]
        for member in a.namelist():
            assert a.read(member) == b.read(member), member


@pytest.mark.parametrize("name", DETECTORS)
def test_pickle_and_joblib_keep_the_scores(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    detector, rows = request.getfixturevalue(name), rows_of(request, name)
    joblib.dump(detector, tmp_path / "m.joblib")
    for copy in (pickle.loads(pickle.dumps(detector)), joblib.load(tmp_path / "m.joblib")):
        assert np.array_equal(copy.anomaly_score(rows), detector.anomaly_score(rows))
        assert copy.threshold_ == detector.threshold_


def test_a_loaded_model_can_be_fitted_again(
    table_detector: Any, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    table_detector.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    loaded.fit(mixed_frame)
    rows = mixed_frame.head(50)
    assert np.array_equal(loaded.anomaly_score(rows), table_detector.anomaly_score(rows))


def test_a_file_holds_json_and_safetensors_and_no_pickle(
    table_detector: Any, tmp_path: Path
) -> None:
    path = tmp_path / "m.augan"
    table_detector.save(path)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["manifest.json", "weights.safetensors"]
        json.loads(archive.read("manifest.json"))
        weights = archive.read("weights.safetensors")
    assert load_tensors(weights)
    for content in (weights, path.read_bytes()):
        with pytest.raises(Exception):  # noqa: B017 - whatever the unpickler says
            pickle.loads(content)


@pytest.mark.parametrize(
    "content, says",
    [
        (None, "no such file"),
        ("directory", "directory"),
        (b"", ""),
        (np.random.default_rng(0).bytes(5000), ""),
        (b"PK\x03\x04" + bytes(200), ""),
        (b"PK\x05\x06" + bytes(18), "it holds nothing"),
    ],
)
def test_what_is_no_model_file_is_refused(
    tmp_path: Path, content: bytes | str | None, says: str
) -> None:
    path = tmp_path / "m.augan"
    if content == "directory":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    assert_refused(path, says)


def test_one_flipped_bit_anywhere_is_refused(default_detector: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.augan"
    default_detector.save(path)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    ends = random.integers(8 * (len(content) - 300), 8 * len(content), 60)  # zip's own records
    starts = random.integers(0, 8 * 80, 20)
    for bit in [*random.integers(0, 8 * len(content), 120), *ends, *starts]:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(changed)
        assert_refused(path)


def test_a_file_without_a_checksum_of_earlier_versions_is_read(
    saved: Any, table_detector: Any, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    loaded = augan.load(write_model(tmp_path / "m.augan", *saved))
    rows = mixed_frame.head(20)
    assert np.array_equal(loaded.anomaly_score(rows), table_detector.anomaly_score(rows))


def test_a_pipe_or_device_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.augan"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        assert_refused(path, "pipe")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"#!/bin/sh\n" + content,
        lambda content: content + b"0",
        lambda content: content[:-71] + bytes(71),
        lambda content: content.replace(b"manifest.json{", b"manifest.json\x00{", 1),
    ],
)
def test_bytes_before_between_or_behind_the_members_are_refused(
    table_detector: Any, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "m.augan"
    table_detector.save(path)
    path.write_bytes(change(path.read_bytes()))
    assert_refused(path)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused_whatever_the_tensor(
    request: pytest.FixtureRequest, tmp_path: Path, number: float
) -> None:
    for name in ("table_detector", "image_detector"):
        manifest, tensors = parts_of(request.getfixturevalue(name), tmp_path / "m.augan")
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and tensor.numel():
                changed = tensor.clone()
                changed.view(-1)[-1] = number
                with pytest.raises(ValueError, match=key):
                    read_tensors(save_tensors({key: changed}))
    path = write_model(tmp_path / "m.augan", manifest, {**tensors, key: changed})
    assert_not_loaded(path, key)


def test_files_of_the_other_kind_are_told_apart_in_one_line(
    default_detector: Any, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x0a\x12\x07pytorch" + bytes(200))
    assert_refused(path, "OnnxDetector")
    default_detector.save(path)
    with pytest.raises(ModelFileError) as error:
        augan.OnnxDetector(path, providers="cpu").fit()
    assert str(path) in str(error.value) and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("content", ["cut", "text", "pipe", "markup"])
def test_info_of_a_damaged_file_is_one_line(saved: Any, tmp_path: Path, content: str) -> None:
    path = write_model(tmp_path / "m.augan", {**saved[0], "class": "[/b]\x1b[2J"}, saved[1])
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "text":
        path.write_text("a,b\n1,2\n")
    elif content == "pipe":
        path.unlink()
        os.mkfifo(path)
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 1 and "\x1b" not in result.stderr
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("augan: error: ")


@pytest.mark.parametrize("keep", [10, 0.1, 0.5, 0.9, -1, -30, -100])
def test_a_truncated_file_is_refused(table_detector: Any, tmp_path: Path, keep: float) -> None:
    path = tmp_path / "m.augan"
    table_detector.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    assert_refused(path)


def test_no_single_damaged_byte_goes_unnoticed_or_crashes(
    table_detector: Any, tmp_path: Path
) -> None:
    """Every flipped byte is refused, except in what a zip doesn't need (times, attributes)."""
    path = tmp_path / "m.augan"
    table_detector.save(path)
    content = path.read_bytes()
    before = model_archive.read_manifest(path)
    random = np.random.default_rng(0)
    places = [*random.integers(0, len(content), 60), *range(len(content) - 150, len(content))]
    n_refused = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            assert model_archive.read_manifest(path) == before
        except ModelFileError as error:
            n_refused += 1
            assert str(path) in str(error)
    assert n_refused > 100


def test_changed_weights_are_noticed(saved: Any, tmp_path: Path) -> None:
    manifest, tensors = saved
    tensors = {name: value.clone() for name, value in tensors.items()}
    tensors["parts.scale.slopes"] += 1e-6
    with zipfile.ZipFile(tmp_path / "m.augan", "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("weights.safetensors", save_tensors(tensors))
    assert_refused(tmp_path / "m.augan", "the weights have changed")


@pytest.mark.parametrize("text", ["{", "[]", "null", "\xff\xfe", "[" * 100_000, '"text"', "{}"])
def test_a_manifest_that_is_no_manifest_is_refused(saved: Any, tmp_path: Path, text: str) -> None:
    with zipfile.ZipFile(tmp_path / "m.augan", "w") as archive:
        archive.writestr("manifest.json", text.encode("latin-1"))
        archive.writestr("weights.safetensors", save_tensors(saved[1]))
    assert_refused(tmp_path / "m.augan")


def test_a_newer_format_is_refused_by_name(saved: Any, tmp_path: Path) -> None:
    manifest = {**saved[0], "format_version": model_archive.FORMAT_VERSION + 1, "augan": "9.1"}
    path = write_model(tmp_path / "m.augan", manifest, saved[1])
    assert_refused(path, "made by a newer augan (9.1")
    with zipfile.ZipFile(path, "w") as archive:  # of which we know no more than the version
        archive.writestr("manifest.json", json.dumps({"format_version": 7}))
        archive.writestr("weights.safetensors", b"in another format")
    assert_refused(path, "newer")


def test_an_older_format_is_refused_by_name(saved: Any, tmp_path: Path) -> None:
    manifest = {**saved[0], "format_version": 1, "augan": "0.1"}
    path = write_model(tmp_path / "m.augan", manifest, saved[1])
    now = model_archive.FORMAT_VERSION
    assert_refused(path, f"made by an older augan (0.1, format 1, now {now}): fit it again")


def without(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in mapping.items() if k != name}


def with_params(manifest: Manifest, **params: Any) -> Manifest:
    return {**manifest, "params": {**manifest["params"], **params}}


def with_codec(manifest: Manifest, **changed: Any) -> Manifest:
    """Change the entry of the first column."""
    first, *rest = manifest["codec"]["columns"]
    return {
        **manifest,
        "codec": {**manifest["codec"], "columns": [{**first, **changed}, *rest]},
    }


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda m: {**m, "class": "Evil"}, "Evil"),
        (lambda m: {**m, "class": "AnoGAN"}, ""),
        (lambda m: with_params(m, shell="rm"), "shell"),
        (lambda m: with_params(m, latent_dim=-1), "latent_dim=-1"),
        (lambda m: with_params(m, latent_dim=9), ""),
        (lambda m: with_params(m, latent_dim=10**12), ""),
        (lambda m: with_params(m, latent_dim=10**30), ""),
        (lambda m: with_params(m, width=10**12), ""),
        (lambda m: with_params(m, width=None), "width=None"),
        (lambda m: with_params(m, heads=["data_residual"]), ""),
        (lambda m: with_params(m, heads=["transforms"]), "transforms"),
        (lambda m: with_params(m, n_folds=0), "n_folds=0"),
        (lambda m: with_params(m, device="quantum"), "quantum"),
        (lambda m: {**m, "parts": {"offset": math.nan}}, "offset"),
        (lambda m: {**m, "codec": {}}, "kind"),
        (lambda m: {**m, "codec": {"kind": "sound"}}, "sound"),
        (lambda m: {**m, "codec": {**m["codec"], "columns": []}}, ""),
        (lambda m: {**m, "codec": {**m["codec"], "columns": m["codec"]["columns"][1:]}}, ""),
        (lambda m: with_codec(m, kind="evil"), "evil"),
        (lambda m: with_codec(m, has_missing=True), ""),
        (lambda m: with_codec(m, median="much"), ""),
        (lambda m: with_codec(m, masses=None), ""),
        *(
            (lambda m, name=name: without(m, name), name)
            for name in ("class", "params", "seed", "parts", "codec", "history", "context")
        ),
        (lambda m: {**m, "history": [1, 2]}, "history"),
        (lambda m: {**m, "context": "none"}, "context"),
        (lambda m: {**m, "seed": "zero"}, "seed"),
        (lambda m: {**m, "n_features_in": None}, "n_features_in"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    saved: Any, tmp_path: Path, change: Callable[[Manifest], Manifest], says: str
) -> None:
    path = write_model(tmp_path / "m.augan", change(saved[0]), saved[1])
    assert_not_loaded(path, says)


def reshaped(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {**tensors, name: tensors[name][:-1].contiguous()}


@pytest.mark.parametrize(
    "change",
    [
        lambda t: reshaped(t, "parts.generator.layers.0.weight"),
        lambda t: reshaped(t, "codec.0.knots"),
        lambda t: without(t, "parts.critic.head.weight"),
        lambda t: without(t, "parts.conformal.scores"),
        lambda t: without(t, "codec.0.knots"),
        lambda t: {**t, "parts.extra": torch.zeros(3)},
        lambda t: {**t, "parts.heads.data_neighbors.bank": torch.zeros(5, 1)},
        lambda t: {**t, "parts.heads.repair_neighbors.basis": torch.zeros(5, 1)},
        lambda t: reshaped(t, "parts.pretext.layers.0.weight"),
        lambda t: without(t, "parts.pretext.layers.0.weight"),
        lambda t: without(t, "parts.heads.pretext_mahalanobis.directions"),
        lambda t: without(t, "parts.heads.pretext_mahalanobis.variances"),
        lambda t: without(t, "parts.heads.pretext_mahalanobis.remainder"),
        lambda t: reshaped(t, "parts.heads.pretext_mahalanobis.variances"),
        lambda t: without(t, "parts.heads.pretext_neighbors.weights"),
        lambda t: reshaped(t, "parts.heads.pretext_neighbors.weights"),
        lambda t: without(t, "parts.scale.starts"),
        lambda t: reshaped(t, "parts.scale.slopes"),
        lambda t: {k: v * math.nan if v.is_floating_point() else v for k, v in t.items()},
        lambda t: {},
    ],
)
def test_weights_that_do_not_fit_are_refused(
    saved: Any, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    path = write_model(tmp_path / "m.augan", saved[0], change(saved[1]))
    assert_not_loaded(path)


@pytest.mark.parametrize("name", DETECTORS)
def test_an_absurd_size_takes_no_memory(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    manifest, tensors = parts_of(request.getfixturevalue(name), tmp_path / "m.augan")
    for latent_dim in (10**8, 10**12):
        changed = with_params(manifest, latent_dim=latent_dim)
        assert_not_loaded(write_model(tmp_path / "m.augan", changed, tensors))
    if name == "image_detector":
        changed = {**manifest, "codec": {**manifest["codec"], "shape": [200_000, 200_000]}}
        assert_not_loaded(write_model(tmp_path / "m.augan", changed, tensors), "200000")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # GiB on Linux
    assert peak < 4


def test_a_search_without_end_does_not_stop_a_file_from_being_loaded(
    search_detector: Any, tmp_path: Path
) -> None:
    manifest, tensors = parts_of(search_detector, tmp_path / "m.augan")
    changed = with_params(manifest, search_steps=10**6)
    loaded = augan.load(write_model(tmp_path / "m.augan", changed, tensors))
    assert loaded.scorer_.inversion.n_steps == 10**6


def test_a_file_cannot_say_where_to_write(saved: Any, tmp_path: Path) -> None:
    changed = with_params(saved[0], checkpoint="/etc/passwd", resume=True)
    loaded = augan.load(write_model(tmp_path / "m.augan", changed, saved[1]))
    assert loaded.checkpoint is None and loaded.resume is False and loaded.callbacks is None


@pytest.mark.parametrize("member", ["../evil.py", "extra.txt", "manifest.json"])
def test_other_members_are_refused_and_never_extracted(
    table_detector: Any, tmp_path: Path, member: str
) -> None:
    path = tmp_path / "inner" / "m.augan"
    path.parent.mkdir()
    table_detector.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        if member == "manifest.json":
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(member, "{}")
        else:
            archive.writestr(member, "raise SystemExit")
    assert_refused(path, member)
    assert not (tmp_path / "evil.py").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused_unread(saved: Any, tmp_path: Path, method: int) -> None:
    path = write_model(tmp_path / "m.augan", saved[0], saved[1], compression=method)
    assert_refused(path, "compressed")


def test_a_member_that_claims_to_be_huge_is_refused(table_detector: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.augan"
    table_detector.save(path)
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")  # the central entry of the weights
    for offset in (20, 24):  # compressed and plain size
        content[directory + offset : directory + offset + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    assert_refused(path, "larger")


def test_a_save_that_fails_leaves_the_old_file(
    table_detector: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.augan"
    table_detector.save(path)
    before = path.read_bytes()

    def fail(self: zipfile.ZipFile, name: str, data: bytes) -> None:
        if name == "weights.safetensors":
            raise OSError(28, "No space left on device")
        original(self, name, data)

    original = zipfile.ZipFile.writestr
    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    for target in (path, tmp_path / "new.augan"):
        with pytest.raises(OSError, match="No space left") as error:
            table_detector.save(target)
        assert error.value.filename == str(target)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.augan"]


def test_a_directory_that_cannot_be_written_to_raises_oserror(
    table_detector: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "m.augan", tmp_path, tmp_path / "file" / "m.augan"):
        with pytest.raises(OSError):
            table_detector.save(path)
    with pytest.raises(OSError):
        table_detector.save("/proc/m.augan")


def test_an_unfitted_detector_is_not_saved(tmp_path: Path) -> None:
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        augan.FAnoGAN().save(tmp_path / "m.augan")
    assert list(tmp_path.iterdir()) == []


def test_a_sampler_makes_the_same_rows_after_loading(
    mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    y = np.where(np.arange(len(mixed_frame)) % 8, "fine", "fraud")
    given = {"max_steps": 20, "encoder_steps": 20, "width": 16, "random_state": 3}
    tuned = {"tune_for": DummyClassifier(), "filters": ("copies",), "sampling_strategy": 0.7}
    for params in ({"method": "data"}, tuned):
        sampler = GANSampler(**given | params).fit(mixed_frame.drop(columns="comment"), y)
        sampler.save(tmp_path / "s.augan")
        loaded = augan.load(tmp_path / "s.augan")
        assert isinstance(loaded, GANSampler)
        for request in ({"n_samples": 50}, {"n_samples": {"fraud": 9}, "where": {"member": True}}):
            (X, labels), (X_again, again) = (m.sample(**request) for m in (sampler, loaded))
            pd.testing.assert_frame_equal(X, X_again)
            assert np.array_equal(labels, again) and labels.dtype == again.dtype
        for name in ("methods_", "sampling_strategy_", "spread_", "tuning_", "refused_"):
            assert getattr(loaded, name) == getattr(sampler, name), name
    assert loaded.tune_for is None  # an estimator is not kept
    assert loaded.sampling_strategy == 0.7


@pytest.fixture(scope="module")
def saved_sampler(tmp_path_factory: pytest.TempPathFactory) -> Any:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("sampler") / "s.augan"
    few = {"max_steps": 2, "encoder_steps": 2, "width": 8}
    sampler = GANSampler(method="latent", random_state=0, **few)
    return parts_of(sampler.fit(random.normal(size=(40, 3)), np.arange(40) % 4 == 0), path)


@pytest.mark.parametrize(
    ("change", "tensors"),
    [
        (lambda p: {**p, "classes": p["classes"][:1]}, None),
        (lambda p: {**p, "classes_dtype": "evil"}, None),
        (lambda p: {**p, "spread": None}, None),
        (lambda p: {**p, "strategy": 3}, None),
        (lambda p: without(p, "classes"), None),
        (None, lambda t: reshaped(t, "parts.rows")),
        (None, lambda t: reshaped(t, "parts.shares")),
        (None, lambda t: {**t, "parts.labels": t["parts.labels"] + 1}),
        (None, lambda t: {**t, "parts.rows": t["parts.rows"] * math.nan}),
        (None, lambda t: {**t, "parts.rows": t["parts.rows"][:, :1].contiguous()}),
        (None, lambda t: without(t, "parts.generator.embedding")),
        (None, lambda t: reshaped(t, "parts.generator.embedding")),
    ],
)
def test_parts_of_a_sampler_that_do_not_fit_are_refused(
    saved_sampler: Any, tmp_path: Path, change: Any, tensors: Any
) -> None:
    manifest, own = saved_sampler
    if change is not None:
        manifest = {**manifest, "parts": change(manifest["parts"])}
    path = write_model(tmp_path / "m.augan", manifest, tensors(own) if tensors else own)
    assert_not_loaded(path, "")
