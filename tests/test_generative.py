"""Quality of a model's images: distances, modes, classes, copies, feature extractors."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch
from augan_cli.app import app
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_digits
from typer.testing import CliRunner

from augan import FAnoGAN, GANSampler
from augan.evaluation import evaluate_generator, feature_extractor, generative
from augan.evaluation.feature_extractor import InceptionFeatureExtractor, LearnedFeatureExtractor
from augan.evaluation.frechet import classifier_score, frechet_distance, kernel_distance
from augan.evaluation.prdc import near_copies
from augan.exceptions import DataError, ParameterError

DIGITS = np.clip(16 * load_digits().images, 0, 255).astype(np.uint8)
LABELS = load_digits().target
FEATURES = np.random.default_rng(0).normal(size=(3, 400, 12)).cumsum(axis=2)


class Maker(BaseEstimator):
    """A fitted model that makes the images it is given, in turn."""

    def __init__(self, images, labels=None):
        self.images, self.labels = images, labels
        self.codec_ = fitted().codec_
        if labels is not None:
            self.classes_ = np.unique(labels)

    def fit(self):
        """Be as scikit-learn wants a fitted estimator."""

    def sample(self, n, random_state=None):
        picked = np.arange(n) % len(self.images)
        new = self.images[picked]
        return new if self.labels is None else (new, self.labels[picked])


@functools.cache
def fitted():
    """Return a detector of digits that has learned nothing; tests must not change it."""
    return FAnoGAN(
        **{"max_steps": 1, "encoder_steps": 1, "pretext_steps": 1, "n_folds": 2, "width": 8},
        heads=("data_neighbors",),
        random_state=0,
    ).fit(DIGITS[:100])


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Train feature extractors for a few steps; those of `reports` are trained before."""
    monkeypatch.setattr(feature_extractor, "MAX_STEPS", 20)


def test_the_frechet_distance_is_that_of_torch_fidelity():
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    for other in (FEATURES[1], 2 * FEATURES[1] + 1, FEATURES[0]):
        own, its = (
            fidelity.fid_features_to_statistics(torch.from_numpy(part))
            for part in (FEATURES[0], other)
        )
        expected = fidelity.fid_statistics_to_metric(own, its, False)
        expected = expected["frechet_inception_distance"]
        assert frechet_distance(FEATURES[0], other) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_the_kernel_distance_is_that_of_torch_fidelity():
    fidelity = pytest.importorskip("torch_fidelity.metric_kid")
    for other in (FEATURES[1], FEATURES[1] + 1):
        expected = fidelity.kid_features_to_metric(
            torch.from_numpy(FEATURES[0]),
            torch.from_numpy(other),
            **{"kid_subsets": 1, "kid_subset_size": 400, "verbose": False},
        )["kernel_inception_distance_mean"]
        mean, deviation = kernel_distance(FEATURES[0], other, 0)
        assert mean == pytest.approx(expected, rel=1e-9)
        assert deviation < 1e-9 * max(mean, 1)  # every subset is all of them


def test_the_classifier_score_is_that_of_torch_fidelity():
    fidelity = pytest.importorskip("torch_fidelity.metric_isc")
    logits = torch.from_numpy(FEATURES[0])
    expected = fidelity.isc_features_to_metric(logits, splits=1, shuffle=False)
    score = classifier_score(logits.softmax(1).numpy())
    assert score == pytest.approx(expected["inception_score_mean"], rel=1e-9)


def test_the_classifier_score_is_the_number_of_classes_at_most():
    assert classifier_score(np.eye(7)) == pytest.approx(7)
    assert classifier_score(np.full((7, 7), 1 / 7)) == pytest.approx(1)
    assert classifier_score(np.eye(7)[[0, 0, 0]]) == pytest.approx(1)


def test_near_copies_are_told_from_other_real_rows():
    train, held_out, others = FEATURES
    assert near_copies(train, held_out, train) == 1
    assert near_copies(train, held_out, others) < 0.12


@pytest.fixture(scope="module")
def reports():
    """Return what evaluates digits as if a model had made them: real ones, noise, two classes."""
    halves = np.random.default_rng(1).permutation(len(DIGITS))
    real, own = np.array_split(halves, 2)
    two = own[LABELS[own] < 2]
    noise = np.random.default_rng(2).integers(0, 255, size=DIGITS[own].shape, dtype=np.uint8)
    makers = {
        "real": Maker(DIGITS[own], LABELS[own]),
        "two": Maker(DIGITS[two]),
        "noise": Maker(noise),
        "copies": Maker(DIGITS[real]),
        "mislabelled": Maker(DIGITS[own], 9 - LABELS[own]),
    }
    trained = functools.cache(lambda: LearnedFeatureExtractor(*given[0]))
    max_steps = feature_extractor.MAX_STEPS
    given = []

    def train_once(*arguments):
        given.append(arguments)
        for a, b in zip(given[0], arguments, strict=True):
            assert np.array_equal(a, b)
        return trained()

    @functools.cache
    def report(name):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(generative, "LearnedFeatureExtractor", train_once)
            patch.setattr(feature_extractor, "MAX_STEPS", max_steps)
            return evaluate_generator(makers[name], DIGITS[real], LABELS[real], n_samples=800)

    return report


def test_real_images_are_as_good_as_real_ones(reports):
    figures = reports("real").figures
    assert reports("real").classifier_accuracy > 0.9
    assert abs(figures["kid"]["new"]) < reports("two").figures["kid"]["new"] / 20
    assert figures["coverage"]["new"] > 0.85
    assert figures["precision"]["new"] > 0.8
    assert figures["classifier_score"]["new"] > 8
    assert reports("real").n_found == reports("real").n_modes == 10


@pytest.mark.slow  # by default with two classes: test_missing_modes_are_counted
def test_noise_is_far_from_real_images(reports):
    figures = reports("noise").figures
    assert figures["kid"]["new"] > 10 * abs(reports("real").figures["kid"]["new"])
    assert figures["coverage"]["new"] < 0.1


def test_missing_modes_are_counted(reports):
    assert reports("two").n_found <= 4
    figures = reports("two").figures
    assert figures["precision"]["new"] > 0.8  # what there is, is good
    assert figures["coverage"]["new"] < 0.35
    assert figures["classifier_score"]["new"] < 3
    shares = {part.name: part.new_share for part in reports("two").by_class}
    assert shares["0"] + shares["1"] > 0.95


def test_images_learned_by_heart_are_found(reports):
    # half of the copies are of images that the feature extractor was not trained on
    assert reports("copies").figures["near_copies"]["new"] > 0.4
    assert reports("real").figures["near_copies"]["new"] < 0.12
    assert np.array_equal(reports("copies").new, reports("copies").nearest)


def test_images_of_another_class_than_asked_for_are_found(reports):
    assert all(part.agreement > 0.7 for part in reports("real").by_class)
    assert all(part.agreement < 0.3 for part in reports("mislabelled").by_class)
    assert all(part.agreement is None for part in reports("two").by_class)


def test_few_images_have_no_frechet_distance(reports):
    assert reports("real").figures["fid"] == {"new": None, "real": None}
    assert reports("real").notes == (
        "FID is not computed: it needs 2,048 images of each kind, there are 449",
    )
    json.dumps(reports("real").to_dict(), allow_nan=False)


@pytest.mark.slow
def test_without_classes_features_are_learned_from_rotations_and_shifts(monkeypatch):
    monkeypatch.setattr(feature_extractor, "MAX_STEPS", 200)
    report = evaluate_generator(Maker(DIGITS[LABELS == 3]), DIGITS, n_samples=180)
    assert report.feature_extractor == "a classifier trained on rotations and shifts"
    assert report.classifier_accuracy is None and report.by_class == ()
    assert report.n_modes == 20 and report.n_found < 16
    assert report.figures["classifier_score"] == {"new": None, "real": None}
    assert report.figures["coverage"]["new"] < report.figures["coverage"]["real"] / 2


def test_the_same_seed_gives_the_same_report():
    reports = [
        evaluate_generator(fitted(), DIGITS[:200], LABELS[:200], n_samples=40, random_state=seed)
        for seed in (0, 0, 1)
    ]
    assert reports[0].to_dict() == reports[1].to_dict()
    assert reports[0].figures != reports[2].figures


def test_former_names_still_work(reports):
    with pytest.warns(FutureWarning, match="judge is deprecated, use feature_extractor"):
        report = evaluate_generator(fitted(), DIGITS[:60], judge="own", n_samples=20)
    with pytest.warns(FutureWarning, match="use feature_extractor"):
        assert report.judge == report.feature_extractor
    with pytest.warns(FutureWarning, match="use classifier_accuracy"):
        assert reports("real").judge_accuracy == reports("real").classifier_accuracy
    assert "judge" not in reports("real").to_dict()


def test_inception_reads_images_as_torchvision_does(tmp_path):
    from torchvision.models import inception_v3

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = inception_v3(weights=None, init_weights=False).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    extractor = InceptionFeatureExtractor(DIGITS[:4], tmp_path / "weights.pth")
    features, probabilities = extractor.extract(DIGITS[:3])
    assert features.shape == (3, 2048) and probabilities.shape == (3, 1000)
    shown = torch.from_numpy(DIGITS[:3] / 255).float()[:, None].expand(-1, 3, -1, -1)
    shown = torch.nn.functional.interpolate(shown, (299, 299), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    shown = (shown - mean[:, None, None]) / deviation[:, None, None]
    with torch.no_grad():
        expected = network(shown).softmax(1)
    assert np.allclose(probabilities, expected.numpy(), atol=1e-5)


def test_inception_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"inception_v3_google-0cc3c7bd\.pth: no such file"):
        evaluate_generator(fitted(), DIGITS, feature_extractor="inception", n_samples=100)
    torch.save(
        LearnedFeatureExtractor(DIGITS[:50], None, 0).classify.state_dict(), tmp_path / "other.pth"
    )
    with pytest.raises(DataError, match=r"other.pth: not the weights of torchvision's inception"):
        InceptionFeatureExtractor(DIGITS, tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": DIGITS[:30]}, "30 real images and 100 new ones: at least 40 and 20 are needed"),
        ({"X": DIGITS[:, :7]}, r"images of shape \(7, 8\), in training \(8, 8\)"),
        ({"y": LABELS[:5]}, "y has 5 labels for 1797 images"),
        ({"y": LABELS * 0}, "y has the label 0 alone"),
        ({"feature_extractor": "me"}, "feature_extractor='me': must be one of 'own', 'inception'"),
        ({"n_samples": 0}, "n_samples=0: must be"),
    ],
)
def test_what_cannot_be_evaluated_is_said(given, message):
    given = {"X": DIGITS, "n_samples": 100, **given}
    with pytest.raises((DataError, ParameterError), match=message):
        evaluate_generator(fitted(), given.pop("X"), given.pop("y", None), **given)


def test_a_sampler_of_other_classes_is_refused():
    maker = Maker(DIGITS, LABELS + 1)
    with pytest.raises(DataError, match="y has other classes than in training, which were 1, 2, 3"):
        evaluate_generator(maker, DIGITS, LABELS, n_samples=50)


def _run(*arguments):
    return CliRunner().invoke(app, ["evaluate-generator", *map(str, arguments)])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    fitted().save(path / "digits.augan")
    np.savez(path / "digits.npz", X=DIGITS[:400], target=LABELS[:400])
    sampler = GANSampler(method="gan", max_steps=1, encoder_steps=1, width=8, random_state=0).fit(
        DIGITS[:200], LABELS[:200]
    )
    sampler.save(path / "sampler.augan")
    rows = load_breast_cancer().data[:60, :3]
    quick = {"max_steps": 1, "encoder_steps": 1, "pretext_steps": 1}
    FAnoGAN(**quick, random_state=0).fit(rows).save(path / "rows.augan")
    return path


def test_the_command_line_evaluates_a_detector(files, tmp_path):
    given = (files / "digits.npz", "--samples", 50)
    result = _run(files / "digits.augan", *given, "--neighbors", tmp_path / "near.png", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n_new"] == 50 and report["n_real"] == 200
    assert report["figures"]["fid"]["new"] is None and report["n_modes"] == 20
    with Image.open(tmp_path / "near.png") as picture:
        assert picture.size[0] > picture.size[1]


@pytest.mark.slow
def test_the_command_line_evaluates_a_sampler_by_class(files):
    given = (files / "digits.npz", "--target", "target", "--samples", 60)
    result = _run(files / "sampler.augan", *given)
    assert result.exit_code == 0, result.output
    assert "60 generated and 200 real images" in result.output
    assert "of 10 classes are among the generated images" in result.output
    assert "FID is not computed: it needs 2,048 images of each kind, there are 60" in result.output
    assert "as asked" in result.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("{0}/rows.augan", "{0}/digits.npz"), "rows of a table"),
        (("{0}/digits.augan", "{0}/no.npz"), "no.npz: no such file"),
        (
            ("{0}/digits.augan", "{0}/digits.npz", "--target", "kind"),
            "no array 'kind'; it has X, target",
        ),
        (
            ("{0}/digits.augan", "{0}/digits.npz", "--neighbors", "{0}/a.jpg"),
            "must end in .png",
        ),
    ],
)
def test_the_command_line_says_what_is_wrong(files, given, message):
    result = _run(*(part.format(files) for part in given))
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert "Traceback" not in result.output
