"""A detector's fitted parts: encoding, networks, scorer and threshold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from augan.codecs.codec import Codec
from augan.codecs.spec import ImageSpec
from augan.inversion import SearchInversion
from augan.io.tensors import check_like
from augan.models.config import DetectorConfig
from augan.models.detector_parts import build_scorer, check_heads, pretext_networks
from augan.networks import (
    ColumnSurprise,
    Networks,
    build_backbone,
    build_networks,
    build_restoration,
    no_networks,
)
from augan.networks.absent import refuse
from augan.scoring.heads import HEADS
from augan.scoring.scorer import AnomalyScorer
from augan.training.rows import LazyRows

GENERATED_AT_ONCE = 1024  # latents
AT_ONCE = 512  # rows that are encoded at once
FEW = 16  # rows, at most, of a small chunk


@dataclass
class DetectorModel:
    """The parts of a fitted detector.

    Attributes
    ----------
    config : DetectorConfig
        The configuration.
    codec : Codec
        Encoder and decoder of rows or images.
    networks : Networks
        Generator, critic, encoder and the networks of the heads.
    scorer : AnomalyScorer
        Scores raw rows.
    seed : int
        Seed of all random streams.
    """

    config: DetectorConfig
    codec: Codec
    networks: Networks
    scorer: AnomalyScorer
    seed: int

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        return self.networks.modules()

    @classmethod
    def build(cls, config: DetectorConfig, codec: Codec, seed: int) -> DetectorModel:
        """Build untrained networks and a scorer for a fitted codec.

        Raises
        ------
        ParameterError
            For heads or a backbone that are not available for the kind of data.
        """
        check_heads(config, codec)
        networks = no_networks()
        if config.generator:
            networks = build_networks(
                codec.spec,
                latent_dim=config.latent_dim,
                width=config.width,
                architecture=config.architecture,
                spectral_norm=config.spectral_norm,
                with_encoder=not config.searches,
                seed=seed,
            )
        needs = {HEADS[name].needs for name in config.heads}
        if config.scoring == "calibrated" and "pretext" in needs:
            networks.pretext = pretext_networks(config, codec, 1, seed)[0]
        if config.scoring == "calibrated" and "restoration" in needs:
            assert isinstance(codec.spec, ImageSpec)
            networks.restoration = build_restoration(codec.spec, seed=seed)
        if config.scoring == "calibrated" and "columns" in needs:
            networks.columns = ColumnSurprise()
        if config.backbone is not None:
            networks.backbone = build_backbone(config.backbone)
        return cls(config, codec, networks, build_scorer(config, codec, networks, seed), seed)

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return self.scorer.device

    @property
    def is_image(self) -> bool:
        """Whether the model is one of images."""
        return self.codec.kind == "image"

    def check_generator(self, what: str) -> None:
        """Check that there is a generator for the method `what`.

        Raises
        ------
        ParameterError
            If the detector was fitted without one.
        """
        if not self.config.generator:
            refuse(what)

    def encoded(self, raw: Tensor | LazyRows) -> Tensor:
        """Return encoded rows, on the device of the networks."""
        return self._parts_of(raw, 0)

    def standardised(self, raw: Tensor | LazyRows, encoder: nn.Module | None = None) -> Tensor:
        """Return standardised rows on that device, of another encoder if one is given."""
        return self._parts_of(raw, 1, encoder)

    def _parts_of(
        self, raw: Tensor | LazyRows, which: int, encoder: nn.Module | None = None
    ) -> Tensor:
        """Return one of the two results of an encoder; a batch at a time takes less memory."""
        encoder = encoder or self.codec.module
        return torch.cat([encoder(rows)[which].to(self.device) for rows in raw.split(AT_ONCE)])

    def in_chunks(
        self, raw: Tensor, function: Callable[[Tensor], tuple[Tensor, ...]]
    ) -> list[Tensor]:
        """Apply a function to chunks of equal size and concatenate each of its results.

        The last chunk is padded. Results of a row therefore do not depend on the number of rows.
        """
        results = []
        fast = torch.inference_mode if not self.config.searches else torch.no_grad
        for rows in raw.split(self.config.chunk):
            size = self._size_of_chunk(len(rows))
            padded = rows[torch.arange(size).clamp(max=len(rows) - 1)] if size > len(rows) else rows
            with fast():
                parts = function(padded)
            results.append([part[: len(rows)].cpu() for part in parts])
        return [torch.cat(parts) for parts in zip(*results, strict=True)]

    def _size_of_chunk(self, n_rows: int) -> int:
        """Return the size to which a chunk of rows is padded: small for a few rows of a table.

        Convolutions, searches and column networks round in another way in chunks of another size.
        """
        same = not (self.is_image or self.config.searches or self.networks.columns is not None)
        return FEW if same and n_rows <= FEW else self.config.chunk

    def assess(self, raw: Tensor, *, explain: bool) -> list[Tensor]:
        """Return scores (n,), score parts (n, H) and, with `explain`, explanations of raw rows.

        The last is the surprise (n, d) of the cells if there is a column network.
        """

        def chunk_results(rows: Tensor) -> tuple[Tensor, ...]:
            view = self.scorer.view(rows)
            found: tuple[Tensor, ...] = self.scorer.score_of(view)
            found += (self.scorer.explanation_of(view),) if explain else ()
            return found if self.networks.columns is None else (*found, view.surprise)

        return self.in_chunks(raw, chunk_results)

    def latents(self, raw: Tensor) -> Tensor:
        """Return the latents (n, latent_dim) of raw rows."""
        return self.in_chunks(raw, lambda rows: (self.scorer.view(rows).z,))[0]

    @torch.no_grad()
    def generated(self, z: Tensor) -> Tensor:
        """Return the encoded rows that the generator makes of latents, in batches."""
        return torch.cat([self.networks.generator(part) for part in z.split(GENERATED_AT_ONCE)])

    def state(self) -> dict[str, Tensor]:
        """Return the tensors of a model file, without those of the codec."""
        return dict(self.scorer.state_dict())

    @classmethod
    def from_state(
        cls,
        config: DetectorConfig,
        codec: Codec,
        seed: int,
        tensors: dict[str, Tensor],
        device: torch.device,
    ) -> DetectorModel:
        """Return a model with stored weights, after a test on one row.

        Raises
        ------
        ValueError, KeyError, RuntimeError
            If the parts do not fit together.
        """
        starts = tensors.get("inversion.starts", torch.empty(0))
        if config.searches and (starts.ndim != 2 or starts.shape[1] != config.latent_dim):
            raise ValueError(f"the weights do not have latent_dim={config.latent_dim}")
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):  # about sizes
            model = cls.build(config, codec, seed)
        check_like(tensors, model.scorer, "parts.")
        model.scorer.load_state_dict(tensors, assign=True)
        if model.networks.columns is not None:
            model.networks.columns.check(len(codec.columns))
        model.scorer.requires_grad_(False).eval().place(device)
        model.score_one_row()
        return model

    def score_one_row(self) -> None:
        """Score an example row as a test; a search takes a single step.

        Raises
        ------
        ValueError
            If the score is not finite.
        """
        row, search = self.codec.example(1), self.scorer.inversion
        n_steps = search.n_steps if isinstance(search, SearchInversion) else 0
        if isinstance(search, SearchInversion):
            search.n_steps = 1
        with torch.no_grad():
            score = self.scorer(row)[0]
        if isinstance(search, SearchInversion):
            search.n_steps = n_steps
        if score.shape != (1,) or not torch.isfinite(score).all():
            raise ValueError("a test row has no finite score")
