"""A posterior of synax inside NIFTy.re: a model of white noise, and its likelihood."""

from typing import Any

import jax.numpy as jnp
import nifty.re as jft

import synax


class SynaxModel(jft.Model):
    """Prediction of the data from white noise; numpyro priors become transforms of N(0, 1)."""

    def __init__(self, posterior: synax.Posterior):
        self.posterior = posterior
        super().__init__(domain=jft.ShapeWithDtype((posterior.size,), jnp.result_type(float)))

    def __call__(self, latent: Any) -> Any:
        return self.posterior.predict(self.posterior.constrain(latent))


def gaussian_likelihood(posterior: synax.Posterior, data: Any, sigma: Any) -> Any:
    """NIFTy's likelihood of `data` with independent noise, ready for `jft.optimize_kl`."""
    inverse_covariance = lambda residual: residual / sigma**2
    return jft.Gaussian(data, noise_cov_inv=inverse_covariance).amend(SynaxModel(posterior))
