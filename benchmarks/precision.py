"""Float32 against float64, quantity by quantity and frequency by frequency.

    python benchmarks/precision.py [--check]

Writes docs/data/precision.json, from which the tables of docs/accuracy.md are made. Every number is
the rms over an NSIDE 8 sky of the difference from float64, over the rms of the map (of P for Q and
U). `--check` computes and writes nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _common import cast, machine

import synax

RECORD = Path(__file__).resolve().parent.parent / "docs" / "data" / "precision.json"
FREQUENCY = np.array([0.03, 0.1, 0.408, 1.4, 2.4, 23.0])
SKIES = {
    "WMAP, TwoDisc": lambda: (synax.magnetic.WMAP(), synax.electrons.TwoDisc()),
    "JF12, YMW16": lambda: (synax.magnetic.JF12(), synax.electrons.YMW16()),
}
PLACE = (-8.301, 0.0, 0.006)  # a parsec off the wall of a JF12 arm


def problem(name: str, dtype: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Simulator and sightlines, all numbers of one precision."""
    sky = synax.Synchrotron(*SKIES[name](), synax.cosmic_rays.WMAP(), steps=128, **kwargs)
    return cast(sky, dtype), cast(synax.Sightlines.healpix(8, PLACE), dtype)


def rms(x: Any) -> np.ndarray:
    return np.sqrt(np.mean(np.asarray(x, np.float64) ** 2, axis=-1))


def seen(name: str, dtype: Any, **kwargs: Any) -> Any:
    sky, rays = problem(name, dtype, **kwargs)
    return sky.observe(rays, jnp.asarray(FREQUENCY, dtype))


def maps(low: Any, high: Any) -> list[dict[str, Any]]:
    """One row a frequency: I, Q, U, and the largest rotation (rad)."""
    p = rms(np.hypot(high.stokes.Q, high.stokes.U))
    scale = {"I": rms(high.stokes.I), "Q": p, "U": p}
    error = {
        n: rms(np.asarray(getattr(low.stokes, n), np.float64) - getattr(high.stokes, n)) / s
        for n, s in scale.items()
    }
    turn = float(np.max(np.abs(high.rotation_measure)))
    return [
        {
            "GHz": float(nu),
            "largest rotation (rad)": round(2.0 * turn * (0.299792458 / nu) ** 2, 1),
            **{n: float(e[k]) for n, e in error.items()},
        }
        for k, nu in enumerate(FREQUENCY)
    ]


def columns(low: Any, high: Any, name: str) -> dict[str, Any]:
    """RM, DM and EM of one sky."""
    pairs = {
        "RM": (low.rotation_measure, high.rotation_measure),
        "DM": (low.dispersion_measure, high.dispersion_measure),
        "EM": (low.emission_measure, high.emission_measure),
    }
    error = {k: float(rms(np.asarray(a, np.float64) - b) / rms(b)) for k, (a, b) in pairs.items()}
    return {"sky": name, **error}


def derivatives(name: str) -> list[dict[str, Any]]:
    """d chi^2 / d b0 of Q and U, whose model is 1 % off, by precision of what computes it."""
    found = {}
    for label, dtype, kwargs in (
        ("float64", jnp.float64, {}),
        ("fields in float32", jnp.float64, {"precision": jnp.float32}),
        ("float32", jnp.float32, {}),
    ):
        sky, rays = problem(name, dtype, **kwargs)
        nu = jnp.asarray(FREQUENCY[2:], dtype)
        data = jax.tree.map(lambda x: 1.01 * x, sky(rays, nu))

        def loss(b0: Any, sky: Any = sky, rays: Any = rays, nu: Any = nu, data: Any = data) -> Any:
            model = eqx.tree_at(lambda s: s.magnetic.b0, sky, b0)(rays, nu)
            scale = jnp.std(data.Q, axis=-1, keepdims=True)
            return jnp.sum(
                ((model.Q - data.Q) / scale) ** 2 + ((model.U - data.U) / scale) ** 2, -1
            )

        _, slope = jax.jvp(loss, (sky.magnetic.b0,), (jnp.ones((), dtype),))
        found[label] = np.asarray(slope, np.float64)
    exact = found.pop("float64")
    return [
        {"GHz": float(nu), **{k: float(abs(v[i] / exact[i] - 1.0)) for k, v in found.items()}}
        for i, nu in enumerate(FREQUENCY[2:])
    ]


def tables() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    sums = []
    for name in SKIES:
        high, low = seen(name, jnp.float64), seen(name, jnp.float32)
        mixed = seen(name, jnp.float64, precision=jnp.float32)
        found[f"{name}: float32 throughout"] = maps(low, high)
        found[f"{name}: fields in float32, the rest in float64"] = maps(mixed, high)
        sums.append(columns(low, high, f"{name}, float32"))
        sums.append(columns(mixed, high, f"{name}, fields in float32"))
    found["Columns"] = sums
    found["WMAP, TwoDisc: derivative of χ² by b0"] = derivatives("WMAP, TwoDisc")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compute, and write nothing")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    record = {"benchmark": "precision", "machine": machine(), "tables": tables()}
    for title, rows in record["tables"].items():
        print(title)
        for row in rows:
            print("  ", {k: v if isinstance(v, str) else float(f"{v:.2g}") for k, v in row.items()})
    if not arguments.check:
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
