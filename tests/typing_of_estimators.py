"""Read by mypy alone: mistakes in attributes of estimators are found.

`warn_unused_ignores` makes each comment below an error once mypy no longer finds the mistake.
"""

from __future__ import annotations

from augan import AnoGAN, CriticFeatures, FAnoGAN, GANSampler, OnnxDetector


def misspelt(path: str) -> None:
    detector = FAnoGAN("hinge", max_steps=10)
    detector.netwroks_ = 3  # type: ignore[attr-defined]
    detector.model_.netwroks = 3  # type: ignore[attr-defined]
    detector.model_.config.width = 3  # type: ignore[misc]
    FAnoGAN(max_step=10)  # type: ignore[call-arg]
    AnoGAN(kappa=1.0)  # type: ignore[call-arg]
    sampler = GANSampler(method="data")
    sampler.clases_ = 3  # type: ignore[attr-defined]
    CriticFeatures().detektor_ = 3  # type: ignore[attr-defined]
    OnnxDetector(path).treshold_ = 3  # type: ignore[attr-defined]
