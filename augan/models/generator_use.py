"""Whether a detector needs a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from augan.scoring.former_heads import current_heads
from augan.scoring.heads import HEADS

GAN_DEFAULTS: dict[str, Any] = {  # parameters of GAN and encoder; other values ask for them
    **dict.fromkeys(("latent_dim", "max_steps", "encoder_steps", "n_critic"), "auto"),
    **dict.fromkeys(("spectral_norm", "lr_generator", "lr_critic", "betas"), "auto"),
    **{"gan": "wgan-gp", "architecture": "auto", "gradient_penalty": 10.0, "r1": 0.0},
    **{"feature_matching": 0.0, "ema_decay": 0.99, "lr_encoder": 1e-3, "kappa": 1.0},
    **{"diff_augment": False, "freeze_critic": 0, "scoring": "calibrated"},
    **{"feature_weight": 0.1, "search_steps": 100, "search_lr": 0.05},
}


def asks_for_generator(params: Mapping[str, Any]) -> bool:
    """Whether a detector's score or one of its parameters needs a GAN, without `generator`."""
    other = any(params.get(name, default) != default for name, default in GAN_DEFAULTS.items())
    return other or bool(generator_heads(params["heads"]))


def generator_heads(heads: str | Sequence[str]) -> list[str]:
    """Return those of the heads that use a generator or its critic."""
    given = () if isinstance(heads, str) else current_heads(heads)
    return [name for name in given if HEADS[name].needs == "gan"]
