"""Chebyshev coefficients of the thermally averaged free-free Gaunt factor for charge 1.

This is an altered version of the table gauntff_merged_Z01.dat of van Hoof et al. 2014, MNRAS 444,
420: a fit, good to 3e-6, to a part of it. It is not the original data, whose notice follows.

Copyright (c) 2014, Peter A.M. van Hoof.

  These data are provided 'as-is', without any express or implied warranty. In
  no event will the author be held liable for any damages arising from the use
  of these data.

  Permission is granted to anyone to use these data for any purpose, including
  commercial applications, and to alter them and redistribute them freely,
  subject to the following restrictions:

  1. The origin of these data must not be misrepresented; you must not claim
     that you created the original data. If you use these data in a product,
     an acknowledgment in the product documentation would be appreciated but
     is not required.
  2. Altered data versions must be plainly marked as such, and must not be
     misrepresented as being the original data.
  3. This notice may not be removed or altered from any further distribution.

  Peter A.M. van Hoof
  Royal Observatory of Belgium
  Ringlaan 3
  B-1180 Brussels
  Belgium
  p.vanhoof@oma.be
"""

FREQUENCY_RANGE = (1e-4, 1e3)  # GHz
TEMPERATURE_RANGE = (2e3, 4e4)  # K

# row i, column j: weight of T_i(x) T_j(y), x and y linear in ln frequency and ln temperature, -1
# and 1 at the ends of the ranges
COEFFICIENTS = (
    (6.57383493, 1.15977687, 0.015250199, -0.002590578, -2.7084e-05, 1.16e-07, -4.391e-06),
    (-4.31110205, -0.126979515, 0.028963883, -0.003320869, 6.1622e-05, 3.5172e-05, -3.123e-06),
    (0.088018586, -0.081804678, 0.017182406, -0.001516617, -8.7052e-05, 3.659e-05, -3.799e-06),
    (0.044882998, -0.038838422, 0.006679865, -0.000123612, -0.000154876, 2.617e-05, 4.86e-07),
    (0.017175887, -0.01273717, 0.001084161, 0.000379664, -0.000118054, 1.1125e-05, 4.79e-07),
    (0.004543134, -0.002050146, -0.00056924, 0.000318245, -5.1918e-05, 7.78e-07, 1.857e-06),
    (0.000527955, 0.000544631, -0.000533145, 0.000137181, -7.612e-06, -4.236e-06, 6.57e-07),
    (-0.000190602, 0.000526323, -0.000216494, 2.4088e-05, 6.281e-06, -2.695e-06, 4.22e-07),
    (-0.000130066, 0.000194826, -4.1433e-05, -6.844e-06, 6.069e-06, -1.595e-06, -6.3e-08),
    (-3.5715e-05, 3.0799e-05, 7.177e-06, -9.259e-06, 3.659e-06, 6.2e-08, -2.58e-07),
    (-2.394e-06, -6.228e-06, 9.524e-06, -3.95e-06, -6.75e-07, 3.52e-07, 3.38e-07),
    (2.902e-06, -7.19e-06, 3.903e-06, -4.5e-07, 4.16e-07, -1.61e-07, -3.62e-07),
    (1.201e-06, -1.091e-06, -7.9e-08, -4.88e-07, -6.19e-07, 4.44e-07, 2.9e-07),
    (6.2e-08, 5.28e-07, 2.01e-07, 1.81e-07, 5.78e-07, -1.121e-06, -4.32e-07),
    (1.89e-07, -9.37e-07, 5.12e-07, -1.44e-07, 5.91e-07, 1.418e-06, -4.57e-07),
    (-2.36e-07, 1.182e-06, -8.41e-07, 7.93e-07, -7.82e-07, -1.45e-07, 5.56e-07),
    (7.1e-08, -1.293e-06, 7.5e-08, -7.72e-07, 8.96e-07, -6.05e-07, 1.95e-07),
)  # fmt: skip
