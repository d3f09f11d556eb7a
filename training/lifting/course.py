"""A course of training: steps, the running mean of the weights that is kept, checkpoints."""

import hashlib
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lifting.evaluation import LEARNT
from lifting.markers import POINTS
from lifting.simulation import Batch, Simulation
from movenet.errors import MoveNetError
from movenet.lifting.files import NETWORKS
from movenet.lifting.network import LiftingNetwork, boxed

BATCH = {"single": 512, "causal": 128, "centred": 128}
AT_ONCE = 4  # batches that are simulated together, which is quicker
# Muon moves the inner layers (Jordan et al., "Muon: an optimizer for hidden layers in neural
# networks", 2024), which gets as far in a sixth of the steps; AdamW the rest.
RATES = {"muon": 0.02, "adamw": 3e-3}
SLOWER = 0.4  # of the rates, for a network that begins as another one
WARM_UP, DECAY, STEEPEST = 100, 0.01, 1.0  # steps; of weights; the gradient's largest norm
MEAN, FORGETTING = 0.999, 20  # of the weights that are kept, a step; quicker at first
# The limbs are what a lifter is for; the face and the middle were made up of other joints.
LESSER = 0.3
WEIGHTS = torch.tensor([1.0 if 5 <= place < 17 else LESSER for place in range(len(POINTS))])
FLAT = 0.02  # a feature that varies less is taken to vary so much
UNCERTAINTY = 0.02  # of the loss: it is not to pull at the joints
NOTED = 104  # steps, a multiple of AT_ONCE


@dataclass
class Course:
    """A network on its way; the same seed takes the same way on the same machine."""

    kind: str
    simulation: Simulation
    steps: int
    seed: int = 0
    half: bool = False  # the network's arithmetic in bfloat16
    start: LiftingNetwork | None = None  # one of a single frame, which another one begins as
    taken: int = 0
    losses: list[float] = field(default_factory=list)  # every NOTED steps, their mean

    def __post_init__(self) -> None:
        """Begin with random weights, or as `start`."""
        torch.manual_seed(self.seed)
        self.network = LiftingNetwork(**NETWORKS[self.kind])
        if self.start is None:
            standardise(self.network, self.simulation.batch(BATCH[self.kind] * AT_ONCE))
        else:
            begin_as(self.network, self.start)
        self.optimisers = optimisers(self.network)
        self.kept = [value.detach().clone() for value in self.network.parameters()]
        self._sum = 0.0

    def advance(self) -> None:
        """A few steps."""
        size = BATCH[self.kind]
        many = self.simulation.batch(size * AT_ONCE)
        for number in range(AT_ONCE):
            rows = slice(number * size, (number + 1) * size)
            self._step(Batch(*(values[rows] for values in many)))

    def _step(self, batch: Batch) -> None:
        part = part_of_rate(self.taken, self.steps) * (SLOWER if self.start else 1)
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = RATES[name] * part
            optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            joints, uncertainty = self.network(batch.keypoints, batch.scores)
        value, distance = loss(joints.float(), uncertainty.float(), batch)
        value.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), STEEPEST)
        for optimiser in self.optimisers.values():
            optimiser.step()
        self.taken += 1
        share = 1 - min(MEAN, self.taken / (self.taken + FORGETTING))
        with torch.no_grad():
            torch._foreach_lerp_(self.kept, list(self.network.parameters()), share)
        self._sum += distance
        if self.taken % NOTED == 0:
            self.losses.append(self._sum / NOTED)
            self._sum = 0.0

    def mean_network(self) -> LiftingNetwork:
        """The network with the running mean of the weights, in eval mode."""
        network = LiftingNetwork(**NETWORKS[self.kind])
        with torch.no_grad():
            network.load_state_dict(self.network.state_dict())  # the buffers, which stand still
            for value, kept in zip(network.parameters(), self.kept, strict=True):
                value.copy_(kept)
        return network.eval()

    def save(self, path: Path) -> None:
        """A checkpoint that `resume` reads, whole or not at all."""
        part = path.with_name(f"{path.name}.part")
        state = {
            "kind": self.kind,
            "steps": self.steps,
            "seed": self.seed,
            "start": self._start_hash(),
            "taken": self.taken,
            "losses": self.losses,
            "sum": self._sum,
            "network": self.network.state_dict(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
            "kept": self.kept,
            "simulation": self.simulation.state(),
        }
        torch.save(state, part)
        os.replace(part, path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint. MoveNetError for a damaged one, or another course's."""
        try:
            state = torch.load(path, weights_only=True)
            mine = {"kind": self.kind, "steps": self.steps, "seed": self.seed}
            for name, value in mine.items():
                if state[name] != value:
                    raise MoveNetError(
                        f"{path}: was made with {name} {state[name]}, not {value}; use that, or "
                        "remove the file"
                    )
            if state["start"] != self._start_hash():
                raise MoveNetError(
                    f"{path}: began as another network of one frame; remove the file"
                )
            self._restore(state)
        except MoveNetError:
            raise
        except Exception as error:  # a damaged pickle raises whatever its steps then do
            raise MoveNetError(
                f"{path}: no whole checkpoint of this network; remove the file"
            ) from error

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.kept, self.taken, self.losses = state["kept"], state["taken"], state["losses"]
        self._sum = state["sum"]
        self.simulation.restore(state["simulation"])

    def _start_hash(self) -> str:
        """Of the weights that it began as; none for random ones."""
        if self.start is None:
            return ""
        digest = hashlib.sha256()
        for value in self.start.state_dict().values():
            digest.update(value.numpy().tobytes())
        return digest.hexdigest()


@torch.no_grad()
def standardise(network: LiftingNetwork, batch: Batch) -> None:
    """Set the features' mean and deviation: without, training takes about twice the steps."""
    relative, middle, size = boxed(batch.keypoints, batch.scores, network.reference)
    features = network.features(relative, batch.scores, middle, size).flatten(0, 1)
    network.mean.copy_(features.mean(0))
    network.deviation.copy_(features.std(0).clamp_min(FLAT))


def begin_as(network: LiftingNetwork, single: LiftingNetwork) -> None:
    """Give a network over time the layers of one of a single frame, which it then equals.

    Its own blocks before time is joined take the first of them; those after it, the others.
    """
    before = len(network.blocks)
    layers = {}
    for name, value in single.state_dict().items():
        module, *rest = name.split(".")
        if module == "blocks" and (number := int(rest[0])) >= before:
            name = ".".join(("after", str(number - before), *rest[1:]))
        layers[name] = value
    missing, unknown = network.load_state_dict(layers, strict=False)
    if wrong := [*unknown, *(name for name in missing if not name.startswith("joins"))]:
        raise ValueError(f"not the same layers: {', '.join(wrong[:3])}")
    for name, value in network.joins.named_parameters():
        if ".join." in name:
            nn.init.zeros_(value)


def optimisers(network: LiftingNetwork) -> dict[str, torch.optim.Optimizer]:
    """By name, of `RATES`."""
    hidden: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, value in network.named_parameters():
        inner = value.ndim == 2 and not name.startswith(("embed", "head"))
        (hidden if inner else rest).append(value)
    return {
        "muon": torch.optim.Muon(hidden, lr=RATES["muon"], weight_decay=DECAY),
        "adamw": torch.optim.AdamW(rest, lr=RATES["adamw"], weight_decay=DECAY, fused=True),
    }


def part_of_rate(taken: int, steps: int) -> float:
    """How far a step goes, of the most: up at first, then down a cosine."""
    return min(1.0, (taken + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * taken / steps))


def loss(joints: Tensor, uncertainty: Tensor, batch: Batch) -> tuple[Tensor, float]:
    """What is to be less, and the mean distance of the limbs' joints in body heights.

    The distance, and the likelihood of the uncertainty if distances were exponential about it,
    which moves the uncertainty only.
    """
    distance = (joints[:, LEARNT] - batch.points).norm(dim=-1)
    spread = uncertainty[:, LEARNT].clamp(1e-3, 20)
    unlikely = distance.detach() / spread + spread.log()
    value = ((distance + UNCERTAINTY * unlikely) * WEIGHTS).mean()
    return value, float(distance.detach()[:, 5:17].mean())
