"""Where the draws of chains go: into memory, or into a run folder that can be resumed."""

import abc
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._competing import Told
from ._density import LatentDensity
from ._results import arviz_module, constrain_draws, to_inference_data
from ._runs import Run
from ._sampler import Chunk, SamplerState


class AbstractSink(abc.ABC):
    """What is told of every chunk of chains, and makes ArviZ data of all at the end."""

    @abc.abstractmethod
    def restore(
        self, template: Callable[[], SamplerState], warmup: int
    ) -> tuple[SamplerState, Told] | None:
        """State and costs of an interrupted run; None at the beginning."""

    @abc.abstractmethod
    def placed(self, spent: Told) -> None:
        """The chains have been placed."""

    @abc.abstractmethod
    def add(
        self, state: SamplerState, part: Chunk, first: int, spent: Told, seconds: float, last: bool
    ) -> None:
        """A chunk has been made; `first`: the number of its first draw, negative in the warm-up."""

    @abc.abstractmethod
    def finish(self, draws: int, method: str, spent: Told) -> Any:
        """All draws as ArviZ data."""


class Memory(AbstractSink):
    """Draws that are kept in memory."""

    def __init__(self, posterior: LatentDensity, began: float):
        self.posterior, self.began = posterior, began
        self.chunks: list[Chunk] = []

    def restore(self, template: Callable[[], SamplerState], warmup: int) -> None:
        return None

    def placed(self, spent: Told) -> None:
        pass

    def add(
        self, state: SamplerState, part: Chunk, first: int, spent: Told, seconds: float, last: bool
    ) -> None:
        if not part.warmup:
            self.chunks.append(jax.tree.map(np.asarray, part))

    def finish(self, draws: int, method: str, spent: Told) -> Any:
        latent = np.concatenate([c.latent for c in self.chunks], axis=1)
        names = self.chunks[0].stats
        stats = {k: np.concatenate([c.stats[k] for c in self.chunks], axis=1) for k in names}
        seconds = time.perf_counter() - self.began
        told: Told = {"method": method, "seconds": seconds, **spent}
        return to_inference_data(self.posterior, latent, stats, told)


class Folder(AbstractSink):
    """Draws that go to a run folder as they come, with the state after each chunk."""

    def __init__(self, posterior: LatentDensity, run: Run):
        self.posterior, self.run = posterior, run

    def restore(
        self, template: Callable[[], SamplerState], warmup: int
    ) -> tuple[SamplerState, Told] | None:
        saved = self.run.restore(template())
        if saved is None:
            return None
        state, note = saved
        self.run.draws(max(0, int(state.step) - warmup))  # they must be there
        return state, {k: v for k, v in note.items() if isinstance(v, int | float | str)}

    def placed(self, spent: Told) -> None:
        self.run.log("chains placed", **spent)

    def add(
        self, state: SamplerState, part: Chunk, first: int, spent: Told, seconds: float, last: bool
    ) -> None:
        if not part.warmup:
            values = constrain_draws(self.posterior, part.latent)
            self.run.write_draws(first, values, part.stats)
        self.run.save(state, spent, force=last)
        stats = part.stats
        self.run.log(
            "warm-up" if part.warmup else "draws",
            draw=first + part.latent.shape[1],
            seconds=round(seconds, 3),
            step_size=float(stats["step_size"][0, -1]),
            acceptance=[round(float(a), 3) for a in jnp.mean(stats["acceptance_rate"], axis=1)],
            divergences=int(jnp.sum(stats["diverging"])),
            gradients=int(jnp.sum(stats["n_steps"])),
            lp=[round(float(lp), 3) for lp in stats["lp"][:, -1]],
        )

    def finish(self, draws: int, method: str, spent: Told) -> Any:
        """Draws are read again from the folder, and written as one file beside the chunks."""
        self.run.log("finished")
        values, stats = self.run.draws(draws)
        cut = lambda found: {k: v[:, :draws] for k, v in found.items()}
        data = arviz_module().from_dict(posterior=cut(values), sample_stats=cut(stats))
        for group in (data.posterior, data.sample_stats):
            group.attrs.clear()
        data.sample_stats.attrs.update({"method": method, **spent})
        self.run.write_result(data)
        return data
