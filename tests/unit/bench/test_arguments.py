import pytest
from bench.arguments import QUICK, USUAL, parse
from bench.contenders.custom import Recipe
from bench.rows import ROWS


def test_without_arguments_every_row_runs_against_everybody():
    given = parse([])

    assert given.plan == USUAL
    assert given.rows == tuple(row.name for row in ROWS)
    assert "nginx" in given.contenders


def test_quick_is_a_smaller_plan_and_single_figures_win_over_it():
    given = parse(["--quick", "--repeat", "7"])

    assert (given.plan.repeat, given.plan.seconds) == (7, QUICK.seconds)


def test_long_makes_the_huge_blob_ten_gigabytes():
    assert parse(["--quick", "--long"]).plan.huge == 10**10


def test_entrepot_is_measured_whatever_peers_are_named():
    assert parse(["--peers", "nginx"]).contenders == (
        "entrepot",
        "entrepot-postgresql",
        "entrepot-collecting",
        "entrepot-telling",
        "entrepot-building",
        "nginx",
    )


@pytest.mark.parametrize("words", (["--rows", "speed"], ["--peers", "quay"], ["--repeat", "0"], ["--peer", "zot"]))
def test_what_it_does_not_know_is_refused_with_a_usage_message(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(words)

    assert "usage: bench" in capsys.readouterr().err


def test_a_peer_speaks_plain_http_unless_its_url_says_otherwise():
    assert Recipe.parse("zot=zot serve {data}/c") == Recipe("zot", "http://127.0.0.1:{port}", "zot serve {data}/c")


def test_a_peer_s_url_stands_before_its_command():
    recipe = Recipe.parse("zot=https://me:secret@127.0.0.1:{port} zot --port={port}")

    assert (recipe.url, recipe.command) == ("https://me:secret@127.0.0.1:{port}", "zot --port={port}")
