"""A sampler's fitted parts: codec, networks, and the real rows that new ones are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from augan.codecs.codec import Codec
from augan.codecs.origin import from_json, to_json
from augan.codecs.table import TableCodec
from augan.inputs.labelled import USUAL_NAME
from augan.models.config import SamplerConfig
from augan.networks import Networks, build_class_networks
from augan.sampling.column_critic import ColumnCriticFilter
from augan.sampling.column_rows import ColumnRows
from augan.sampling.column_spread import ADDED_STEP
from augan.sampling.columns import ColumnModel
from augan.sampling.maker import RowMaker
from augan.sampling.packed_rows import pack, unpack
from augan.sampling.pool import Pool, choose
from augan.sampling.relation_set import Relations
from augan.sampling.stored_relations import class_column, relations_state, stored_relations
from augan.sampling.tuning import Trial

WITHOUT_GAN = ("data", "columns")  # methods that train no GAN
PREFIX = "columns."  # of the column model's tensors
OF_RELATIONS = "relations."  # prefix of the relations' tensors


@dataclass
class SamplerModel:
    """The parts of a fitted sampler.

    Attributes
    ----------
    config : SamplerConfig
        The configuration.
    codec : Codec
        Encoder and decoder of rows or images.
    networks : Networks or None
        Generator, critic and encoder; None if no GAN is trained.
    pool : Pool
        Encoded real rows by class.
    classes : ndarray of shape (n_classes,)
        Labels.
    shares : Tensor of shape (n_classes,)
        Shares of the classes in the training rows.
    strategy : dict
        Number of rows of each class that are added.
    spread, synthetic_share, symmetry : float, float or None, str or None
        The parameters of these names, or the values chosen by cross-validation; the spread of rows
        that are added to the real ones.
    sample_spread : float
        The spread of rows that stand alone.
    tuning : list of Trial or None
        The results of cross-validation.
    seed : int
        Seed of all random streams.
    columns : ColumnRows or None
        The column model and the relations that its rows obey, for the method "columns".
    """

    config: SamplerConfig
    codec: Codec
    networks: Networks | None
    pool: Pool
    classes: NDArray[Any]
    shares: Tensor
    strategy: dict[Any, int]
    spread: float
    sample_spread: float
    synthetic_share: float | None
    symmetry: str | None
    tuning: list[Trial] | None
    seed: int
    columns: ColumnRows | None = None

    def __post_init__(self) -> None:
        self._makers: dict[tuple[float, float], RowMaker] = {}

    @property
    def names(self) -> list[Any]:
        """The labels as Python objects."""
        names: list[Any] = self.classes.tolist()
        return names

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        if self.columns is not None:
            return {"columns": self.columns.model.network}
        return {} if self.networks is None else self.networks.modules()

    @property
    def counts(self) -> dict[Any, int]:
        """Number of real rows of each class that new rows are made from."""
        counts = torch.bincount(self.pool.labels, minlength=len(self.names)).tolist()
        return dict(zip(self.names, counts, strict=True))

    @property
    def methods(self) -> dict[Any, str]:
        """The source of each class's new rows: "columns", "gan", "latent" or "data"."""
        return {name: choose(self.config.method, n) for name, n in self.counts.items()}

    @property
    def maker(self) -> RowMaker:
        """The maker of rows that stand alone; its filters are fitted when they are first used."""
        return self._maker(self.sample_spread, 0.0, self.config.filters)

    @property
    def added_maker(self) -> RowMaker:
        """The maker of rows that are added to the real ones."""
        return self._maker(self.spread, ADDED_STEP, self.config.added_filters)

    def critic_auc(self) -> tuple[float, float] | None:
        """Return the two-sample AUROC before and after the filter "critic", if there is one."""
        if "critic" not in self.config.filters:
            return None
        critic = self.maker.filters["critic"]
        return critic.two_sample_aucs() if isinstance(critic, ColumnCriticFilter) else None

    def _maker(self, spread: float, step: float, filters: tuple[str, ...]) -> RowMaker:
        if (spread, step) not in self._makers:
            self._makers[spread, step] = RowMaker(
                self.pool.reflected(self.symmetry).moving(step),
                self.codec,
                self.names,
                filters=filters,
                spread=spread,
                seed=self.seed,
            )
        return self._makers[spread, step]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return JSON values, and tensors by name: networks and encoded real rows."""
        trials = self.tuning
        values = {
            "classes": to_json(self.names),
            "classes_dtype": str(self.classes.dtype),
            "strategy": [to_json([k, int(n)]) for k, n in self.strategy.items()],
            "spread": float(self.spread),
            "sample_spread": float(self.sample_spread),
            "share": self.synthetic_share,
            "symmetry": self.symmetry,
            "tuning": None if trials is None else [to_json(astuple(trial)) for trial in trials],
        }
        pool = self.pool
        tensors = {**pack(pool.rows), "labels": pool.labels, "held_out": pool.held_out}
        tensors["shares"] = self.shares
        if self.networks is not None:
            for name, module in self.networks.modules().items():
                tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
        if self.columns is not None:
            values["columns"], own = self.columns.model.state()
            tensors |= {f"{PREFIX}{key}": value for key, value in own.items()}
            values["relations"], arrays = relations_state(self.columns.relations)
            own = {f"{OF_RELATIONS}{key}": torch.from_numpy(a) for key, a in arrays.items()}
            tensors |= own
        return values, tensors

    @classmethod
    def from_state(
        cls,
        config: SamplerConfig,
        codec: Codec,
        seed: int,
        values: Mapping[str, Any],
        tensors: dict[str, Tensor],
        device: torch.device,
    ) -> SamplerModel:
        """Return a model with stored weights, after a test that makes one row.

        Raises
        ------
        ValueError, KeyError, RuntimeError
            If the parts do not fit together.
        """
        classes = np.array(from_json(values["classes"]), dtype=values["classes_dtype"])
        largest = _largest_class(tensors, len(classes))
        networks = None
        if config.method not in WITHOUT_GAN:
            networks = _stored_networks(config, codec, len(classes), seed, tensors)
            for module in networks.modules().values():
                module.to(device)
        columns = _stored_columns(config, codec, classes, values, tensors)
        parts = unpack(tensors), tensors["labels"], tensors["held_out"]
        trials = values["tuning"]
        model = cls(
            config=config,
            codec=codec,
            networks=networks,
            pool=Pool(networks, codec.spec, *parts, len(classes), config.method, columns=columns),
            classes=classes,
            shares=tensors["shares"],
            strategy={k: int(n) for k, n in map(from_json, values["strategy"])},
            spread=float(values["spread"]),
            sample_spread=float(values.get("sample_spread") or values["spread"]),
            synthetic_share=values.get("share", config.synthetic_share),
            symmetry=values.get("symmetry"),
            tuning=None if trials is None else [Trial(*from_json(trial)) for trial in trials],
            seed=seed,
            columns=columns,
        )
        model.maker.make({largest: 1}, torch.Generator().manual_seed(0))
        return model


def _stored_networks(
    config: SamplerConfig, codec: Codec, n_classes: int, seed: int, tensors: Mapping[str, Tensor]
) -> Networks:
    """Return the networks with stored weights."""
    with torch.device("meta"):
        networks = class_networks(config, codec, n_classes, seed)
    for name, module in networks.modules().items():
        state = {key: tensors[f"{name}.{key}"] for key in module.state_dict()}
        module.load_state_dict(state, assign=True)
        module.requires_grad_(False).eval()
    return networks


def _stored_columns(
    config: SamplerConfig,
    codec: Codec,
    classes: NDArray[Any],
    values: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> ColumnRows | None:
    """Return the stored column model and relations, for the method "columns"."""
    if config.method != "columns":
        return None
    if not isinstance(codec, TableCodec) or values.get("columns") is None:
        raise ValueError("the column model of a table is missing")
    own, of_relations = (
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        for prefix in (PREFIX, OF_RELATIONS)
    )
    model = ColumnModel.from_state(codec, values["columns"], own)
    stored = values.get("relations")
    if stored is None:
        own_columns = (*codec.columns, class_column(USUAL_NAME, classes, codec.columns))
        return ColumnRows(model, Relations((), own_columns))
    arrays = {name: tensor.numpy() for name, tensor in of_relations.items()}
    return ColumnRows(model, stored_relations(stored, arrays, codec.columns, classes))


def class_networks(config: SamplerConfig, codec: Codec, n_classes: int, seed: int) -> Networks:
    """Return untrained networks of a sampler."""
    return build_class_networks(
        codec.spec,
        n_classes,
        latent_dim=config.latent_dim,
        width=config.width,
        architecture=config.architecture,
        spectral_norm=config.spectral_norm,
        with_encoder=config.method != "gan",  # "gan" needs no latents of real rows
        seed=seed,
    )


def _largest_class(tensors: dict[str, Tensor], n_classes: int) -> int:
    """Return the index of the class with the most rows, after a check of the stored rows."""
    rows, labels, shares = (tensors[name] for name in ("rows", "labels", "shares"))
    if not len(rows) == len(labels) == len(tensors["held_out"]) > 0:
        raise ValueError("numbers of rows and of labels differ")
    if not 0 <= int(labels.min()) <= int(labels.max()) < n_classes or len(shares) != n_classes:
        raise ValueError("a row has an unknown class")
    if not (torch.isfinite(rows).all() and torch.isfinite(shares).all()):
        raise ValueError("a row is not finite")
    return int(torch.bincount(labels, minlength=n_classes).argmax())
