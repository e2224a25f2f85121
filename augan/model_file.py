"""Loading of model files. A file holds JSON and safetensors weights: loading runs no code."""

from __future__ import annotations

import os
from typing import Any

from augan.estimators.anogan import AnoGAN
from augan.estimators.f_anogan import FAnoGAN
from augan.estimators.sampler import GANSampler
from augan.io.model_tensors import read_model
from augan.models.reading import damage_reported

CLASSES = {cls.__name__: cls for cls in (AnoGAN, FAnoGAN, GANSampler)}


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Any:
    """Return the estimator in a model file; its scores are equal to those before saving.

    Parameters
    ----------
    path : path-like
        A file written by `save`.
    device : str, optional
        Torch device, instead of the estimator's parameter `device`.

    Returns
    -------
    estimator : FAnoGAN, AnoGAN or GANSampler
        The fitted estimator.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, unsafe or of an unsupported format version.
    """
    with damage_reported(path):
        manifest, tensors = read_model(path)
        return CLASSES[manifest["class"]]._from_file(manifest, tensors, device)
