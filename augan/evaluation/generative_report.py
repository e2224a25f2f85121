"""The report of `evaluate_generator`."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

Images = NDArray[Any]

FIGURES = {
    "fid": "Fréchet inception distance to real images (FID), low is good",
    "kid": "kernel inception distance to real images (KID), low is good",
    "classifier_score": "classifier score (as the Inception score), at most the number of classes",
    "precision": "share of new images within the radius of a real one",
    "recall": "share of real images within the radius of a new one",
    "density": "real images within whose radius a new one lies, mean, divided by 5",
    "coverage": "share of real images with a new one within their radius",
    "near_copies": "share of new images closer to a real one than 95 % of other real ones",
}
IMAGES = ("new", "nearest")  # attributes of a report that are images


@dataclass(frozen=True)
class ClassQuality:
    """Figures of one class.

    Attributes
    ----------
    name : str
        The class.
    real_share, new_share : float
        Share of this class in the real images and in the new ones, as the feature extractor
        classifies them.
    agreement : float or None
        Share of the new images requested as this class that are classified as it. None for a
        model that generates images without classes.
    precision, coverage : float or None
        As for all images, within the class; None with too few images.
    """

    name: str
    real_share: float
    new_share: float
    agreement: float | None
    precision: float | None
    coverage: float | None


@dataclass(frozen=True)
class GenerativeReport:
    """Result of `evaluate_generator`.

    Attributes
    ----------
    figures : dict of str to dict
        Each figure for "new" images and, for comparison, for "real" images in their place. None
        where it is not computed: FID with too few images, classifier score without classes.
    feature_extractor : str
        The network whose features the images are compared in.
    classifier_accuracy : float or None
        Its accuracy on the real images that it was not trained on; None without classes.
    n_real, n_new : int
        Number of images that were compared.
    n_modes, n_found : int
        Number of classes, or of clusters if there are no classes, and how many of them the new
        images have: those with at least a tenth of their share in the real images.
    by_class : tuple of ClassQuality
        Figures of each class; empty without classes.
    new, nearest : ndarray of shape (10, H, W[, C])
        The new images closest to a real one, and those real ones: copies of training images would
        be among them.
    notes : tuple of str
        Figures that were not computed, and why.
    """

    figures: dict[str, dict[str, float | None]]
    feature_extractor: str
    classifier_accuracy: float | None
    n_real: int
    n_new: int
    n_modes: int
    n_found: int
    by_class: tuple[ClassQuality, ...]
    new: Images = field(repr=False)
    nearest: Images = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def judge(self) -> str:
        """Deprecated name of `feature_extractor`."""
        _warn_of_name("judge", "feature_extractor")
        return self.feature_extractor

    @property
    def judge_accuracy(self) -> float | None:
        """Deprecated name of `classifier_accuracy`."""
        _warn_of_name("judge_accuracy", "classifier_accuracy")
        return self.classifier_accuracy

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the images as JSON values."""
        values = {name: value for name, value in vars(self).items() if name not in IMAGES}
        return values | {
            "by_class": [asdict(part) for part in self.by_class],
            "notes": list(self.notes),
        }


def _warn_of_name(old: str, new: str) -> None:
    warnings.warn(f"{old} is deprecated, use {new}", FutureWarning, stacklevel=3)
