"""The command line as tests call it, and a small problem for it."""

from typer.testing import CliRunner

from synax.cli import app

CONFIG = """
[magnetic]
model = "WMAP"
[electrons]
model = "Uniform"
value = 0.01
[sightlines]
nside = 1
[integration]
steps = 4
[[data]]
name = "sky"
frequency = 23
sigma = 1e-6
[priors]
"magnetic.b0" = { uniform = [0.5, 9] }
[fit]
steps = 60
[sample]
chains = 2
warmup = 10
draws = 20
chunk = 10
"""


def call(*arguments):
    """Run `synax` in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(*arguments):
    """Run what must be refused; returns the one sentence."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    message = " ".join(result.stderr.split())
    assert result.stdout == "" and message.startswith("error: ")
    return message
