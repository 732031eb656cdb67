"""Physical constants (CODATA 2022, SI unless stated) and the few factors derived from them.

Nothing else in the package spells a physical constant. Plain Python floats: importing this
module creates no JAX array.
"""

import math

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
ELECTRON_MASS = 9.1093837139e-31  # kg
SPEED_OF_LIGHT = 299792458.0  # m/s, exact
BOLTZMANN = 1.380649e-23  # J/K, exact
PLANCK = 6.62607015e-34  # J s, exact
VACUUM_PERMITTIVITY = 8.8541878188e-12  # F/m
PARSEC = 648000.0 / math.pi * 149597870700.0  # m, IAU 2015 B2
KPC = 1e3 * PARSEC  # m
YEAR = 365.25 * 86400.0  # s, Julian
GEV = 1e9 * ELEMENTARY_CHARGE  # J
GRAVITATION = 6.67430e-11  # m^3 kg^-1 s^-2
SOLAR_MASS = 1.98841e30  # kg, from GM of IAU 2015 B3
CMB_TEMPERATURE = 2.7255  # K, Fixsen 2009

ELECTRON_REST_ENERGY_GEV = ELECTRON_MASS * SPEED_OF_LIGHT**2 / GEV

MICROGAUSS = 1e-10  # T
PER_CM3 = 1e6  # m^-3
GHZ = 1e9  # Hz

FARADAY_CONSTANT = (
    ELEMENTARY_CHARGE**3
    / (8.0 * math.pi**2 * VACUUM_PERMITTIVITY * ELECTRON_MASS**2 * SPEED_OF_LIGHT**3)
    * PER_CM3
    * MICROGAUSS
    * KPC
)
"""rad m^-2 per (cm^-3 microgauss kpc): 1e3 times the usual 0.8119 per (cm^-3 microgauss pc)."""

WAVELENGTH_SQUARED_AT_1GHZ = (SPEED_OF_LIGHT / GHZ) ** 2
"""m^2; divide by the square of the frequency in GHz."""

PC_PER_KPC = 1e3
