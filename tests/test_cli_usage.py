"""Words on the command line that no verb takes: one sentence, exit code 2."""

import pytest
import typer
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from synax.cli import app, main
from synax.cli._app import _empty

VERBS = typer.main.get_command(app).commands


@given(
    st.sampled_from(sorted(VERBS)),
    st.lists(st.sampled_from(["a", "-q", "--set", "x=", "3"]), max_size=3),
    st.sampled_from(["", " ", "--output=", "-o= "]),
)
@settings(deadline=None, max_examples=40)
def test_an_argument_without_text_is_refused(verb, before, empty):
    """`--output "$UNSET"` is not the folder one stands in."""
    refusal = _empty([verb, *before, empty, "more"])
    assert refusal is not None and "is empty: give a value" in refusal
    assert _empty([verb, *before, "more"]) is None


def test_empty_arguments_end_the_program(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["synax", "simulate", "-o", ""])
    ends = []
    monkeypatch.setattr("synax.cli._app.leave", ends.append)
    main()
    said = capsys.readouterr().err
    assert ends == [2] and said.startswith("error: the argument after '-o' is empty: give")


def said(*words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert "--help` shows what is allowed" in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["simulate", "--nside", "x"], "--nside = 'x': input should be a valid integer"),
        (["simulate", "--steps=1e99"], "--steps = '1e99': "),
        (["simulate", "-q", "--nside"], "Option '--nside' requires an argument"),
        (["simulate", "a", "b"], "unexpected extra argument"),
        (["simulate", "--quiet=3"], "Option '--quiet' does not take a value"),
        (["simulate", "--magnetik", "JF12"], "No such option: --magnetik"),
        (["simulat"], "Did you mean 'simulate'?"),
        (["--nothing"], "No such option: --nothing"),
    ],
)
def test_unknown_words_are_told_in_one_sentence(words, told):
    assert told in said(*words)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_refuses_an_unknown_option(verb):
    assert "No such option: --no-such" in said(verb, "--no-such")
