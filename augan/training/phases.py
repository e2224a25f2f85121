"""The training phases of GAN and encoder: their steps, measures and state."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from augan._random import torch_stream
from augan.networks import Critic, Networks
from augan.networks.augment import AugmentingCritic
from augan.training.ema import ExponentialMovingAverage
from augan.training.monitor import coverage, near_duplicates, sliced_wasserstein, spread
from augan.training.steps import (
    TrainingConfig,
    critic_step,
    encoder_step,
    generator_step,
    izi_f_loss,
)

BETAS_ENCODER = (0.5, 0.9)  # Adam's decay rates; the other networks' are parameters
MAX_HELD_OUT = 512  # rows in a measure on held-out rows


class Phase(Protocol):
    """Interface of a training phase."""

    name: str
    stops_early: bool

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step with the base learning rates times `factor`; return figures.

        `done` is the completed share of the phase, from 0 to 1.
        """

    def measure(self) -> dict[str, float]:
        """Return figures on held-out rows; early stopping uses `held_out_loss`, if there is one."""

    def rates(self) -> dict[str, float]:
        """Return the learning rates of the last step."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state that the next step depends on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""

    def finish(self) -> None:
        """Prepare the networks for the next phase and for scoring."""


class GANPhase:
    """Trains critic and generator in turn; the result is the averaged generator."""

    name = "gan"
    stops_early = True

    def __init__(
        self,
        networks: Networks,
        train: Tensor,
        held_out: Tensor,
        config: TrainingConfig,
        seed: int,
        *,
        augmented: bool = False,
    ) -> None:
        self.networks, self.train, self.config, self.seed = networks, train, config, seed
        self.held_out, self.augmented = held_out[:MAX_HELD_OUT], augmented
        self.average = ExponentialMovingAverage(networks.generator, config.ema_decay)
        for layer in networks.critic.layers_with_weights()[: config.freeze_critic]:
            layer.requires_grad_(False)
        self.critic_optimizer = _adam(networks.critic, config.lr_critic, config.betas)
        self.generator_optimizer = _adam(networks.generator, config.lr_generator, config.betas)
        self.random = torch_stream(seed, "gan", train.device)
        self.n_steps = 0
        self.first_sizes = self._sizes()

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take `n_critic` steps of the critic and one of the generator."""
        networks, config = self.networks, self.config
        networks.critic.train()
        networks.generator.train()
        set_rate(self.critic_optimizer, config.lr_critic * factor)
        set_rate(self.generator_optimizer, config.lr_generator * factor)
        figures: dict[str, Tensor] = {}
        for _ in range(config.n_critic):
            critic, generator, real = self._draw()
            alpha = torch.rand(len(real), generator=self.random, device=real.device)
            figures = critic_step(
                critic,
                generator,
                self.critic_optimizer,
                real,
                self._latents(len(real)),
                alpha,
                config,
            )
        figures |= generator_step(
            critic,
            generator,
            self.generator_optimizer,
            real,
            self._latents(len(real)),
            config,
        )
        self.average.update(networks.generator, self.n_steps)
        self.n_steps += 1
        return figures

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Compare rows of the averaged generator with held-out rows."""
        random = torch_stream(self.seed, "measure", self.train.device)
        real = self.held_out.flatten(1)
        fake = self._generate(len(real), random).flatten(1)
        return {
            "coverage": coverage(real, fake),
            "spread": spread(real, fake),
            "near_duplicates": near_duplicates(real, fake),
            "held_out_loss": sliced_wasserstein(real, fake, random),
            **{
                f"{name}_weight_growth": size / self.first_sizes[name]
                for name, size in self._sizes().items()
            },
        }

    @torch.no_grad()
    def preview(self, n: int) -> Tensor:
        """Return `n` rows of the averaged generator; the latents are the same in every call."""
        return self._generate(n, torch_stream(self.seed, "preview", self.train.device))

    def rates(self) -> dict[str, float]:
        """Return the learning rates of the last step."""
        return {
            "critic_learning_rate": _rate(self.critic_optimizer),
            "generator_learning_rate": _rate(self.generator_optimizer),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state of networks, optimisers, average, random stream and step."""
        return {
            "generator": self.networks.generator.state_dict(),
            "critic": self.networks.critic.state_dict(),
            "average": self.average.module.state_dict(),
            "critic_optimizer": self.critic_optimizer.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "random": self.random.get_state(),
            "n_steps": self.n_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        self.networks.generator.load_state_dict(state["generator"])
        self.networks.critic.load_state_dict(state["critic"])
        self.average.module.load_state_dict(state["average"])
        self.critic_optimizer.load_state_dict(state["critic_optimizer"])
        self.generator_optimizer.load_state_dict(state["generator_optimizer"])
        self.random.set_state(state["random"].cpu())
        self.n_steps = state["n_steps"]

    def finish(self) -> None:
        """Replace the generator by its average, and freeze both networks."""
        self.networks.generator.load_state_dict(self.average.module.state_dict())
        freeze(self.networks.generator)
        freeze(self.networks.critic)

    def _sizes(self) -> dict[str, float]:
        """Return the norm of each network's weights."""
        networks = {"critic": self.networks.critic, "generator": self.networks.generator}
        return {
            name: float(nn.utils.parameters_to_vector(network.parameters()).detach().norm())
            for name, network in networks.items()
        }

    def _draw(self) -> tuple[Critic, nn.Module, Tensor]:
        """Return critic and generator for one batch, and its real rows."""
        real = draw_rows(self.train, self.config.batch_size, self.random)
        return self._seen(self.networks.critic), self.networks.generator, real

    def _seen(self, critic: Critic) -> Critic:
        """Return the critic, with augmentation of its input where the phase is `augmented`."""
        return AugmentingCritic(critic, self.random) if self.augmented else critic

    def _generate(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` rows of the averaged generator."""
        rows: Tensor = self.average.module(self._latents(n, random))
        return rows

    def _latents(self, n: int, random: torch.Generator | None = None) -> Tensor:
        dim = self.networks.latent_dim
        return torch.randn(n, dim, generator=random or self.random, device=self.train.device)


class SingleOptimizerPhase:
    """Base class of phases with one optimiser; their state includes the earlier networks."""

    name: str
    networks: Networks
    optimizer: torch.optim.Optimizer
    random: torch.Generator

    def rates(self) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {f"{self.name}_learning_rate": _rate(self.optimizer)}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all networks (also frozen ones), optimiser and random stream."""
        return {
            **{name: module.state_dict() for name, module in self.networks.modules().items()},
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        for name, module in self.networks.modules().items():
            module.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"].cpu())


class EncoderPhase(SingleOptimizerPhase):
    """Trains the encoder on the izi_f loss (Schlegl 2019) with frozen generator and critic."""

    name = "encoder"
    stops_early = True

    def __init__(
        self, networks: Networks, train: Tensor, held_out: Tensor, config: TrainingConfig, seed: int
    ) -> None:
        assert networks.encoder is not None
        self.networks, self.train, self.config = networks, train, config
        self.held_out = held_out[:MAX_HELD_OUT]
        self.encoder: nn.Module = networks.encoder
        self.optimizer = _adam(self.encoder, config.lr_encoder, BETAS_ENCODER)
        self.random = torch_stream(seed, "encoder", train.device)

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step of the encoder."""
        self.encoder.train()
        set_rate(self.optimizer, self.config.lr_encoder * factor)
        generator, real = self._draw()
        critic = self.networks.critic
        return encoder_step(self.encoder, generator, critic, self.optimizer, real, self.config)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the izi_f loss on held-out rows."""
        self.encoder.eval()
        x_hat = self._of_held_out()(self.encoder(self.held_out))
        loss = izi_f_loss(self.held_out, x_hat, self.networks.critic, self.config.kappa)
        return {"held_out_loss": float(loss)}

    def _draw(self) -> tuple[nn.Module, Tensor]:
        """Return the generator for one batch, and its real rows."""
        return self.networks.generator, draw_rows(self.train, self.config.batch_size, self.random)

    def _of_held_out(self) -> nn.Module:
        """Return the generator for the held-out rows."""
        return self.networks.generator

    def finish(self) -> None:
        """Freeze the encoder."""
        freeze(self.encoder)


def draw_rows(data: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Draw rows with replacement from data that stays on its device."""
    index = torch.randint(len(data), (size,), generator=random, device=data.device)
    return data[index]


def _adam(module: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    moving = [weights for weights in module.parameters() if weights.requires_grad]
    return torch.optim.Adam(moving, lr=rate, betas=betas, fused=True)


def freeze(module: nn.Module) -> None:
    """Put a module in evaluation mode, without gradients."""
    module.eval()
    module.zero_grad()  # frees the gradients
    module.requires_grad_(False)


def _rate(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate
