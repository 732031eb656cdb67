# %% [markdown]
# # A gallery of magnetic fields
# Every model of the catalogue: cut face-on and edge-on, and its rotation measures from the Sun.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import numpy as np
from IPython.display import display

import synax
from synax import plot

NSIDE, STEPS, SHAPE = 4, 32, 80

# %%
fields = {
    "WMAP": synax.magnetic.WMAP(),
    "JF12": synax.magnetic.JF12(),
    "JF12, solenoidal": synax.magnetic.JF12Solenoidal(),
    "UF23 base": synax.magnetic.UF23("base"),
    "UF23 twistX": synax.magnetic.UF23("twistX"),
    "PT11 bisymmetric": synax.magnetic.PT11("bss"),
    "Terral & Ferriere Ad1 + C1": synax.magnetic.TF17("Ad1", "C1"),
    "KST24": synax.magnetic.KST24(),
    "Jaffe13": synax.magnetic.Jaffe13(),
}
for name, field in fields.items():
    display(plot.slices(field, shape=SHAPE, title=name))

# %% [markdown]
# Rotation measures with the same electrons for all. The sign pattern in the plane, positive and
# negative across l = 0, is what the data fix best; compare with the sky in `sky_data.py`.

# %%
rays = synax.Sightlines.healpix(NSIDE)
electrons = synax.electrons.TwoDisc()
towards = {}
for name in ("WMAP", "UF23 base", "PT11 bisymmetric"):
    measure = synax.RotationMeasure(fields[name], electrons, steps=STEPS)(rays)
    towards[name] = np.asarray(measure)
    figure = plot.sky(synax.SkyMap.on_rays(measure, rays, "RM"))
    figure.suptitle(name, fontsize=14)
    display(figure)

# %%
signs = {name: np.sign(rm[np.abs(rm).argmax()]) for name, rm in towards.items()}
print(signs)
assert all(np.isfinite(rm).all() for rm in towards.values())
