"""What a page shows is run by a test, compared with our files, or says that it is a sketch."""

import re

from tests.documents import PAGES, ROOT, blocks_of, commands_of

LANGUAGES = {"console", "diff", "sketch", "groovy pipeline", "sh pipeline", "yaml pipeline"}
INDENTED = re.compile(r"^\n {4,}(?![-*0-9])\S", re.MULTILINE)


def test_every_fenced_block_is_run_or_says_that_it_is_a_sketch() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    assert blocks
    assert [
        f"{block.place} {block.language or 'no language'}" for block in blocks if block.language not in LANGUAGES
    ] == []


def test_the_files_are_as_a_diff_leaves_them() -> None:
    shown = [block for page in PAGES for block in blocks_of(page) if block.language == "diff"]
    assert shown
    for block in shown:
        for change in block.text.removeprefix("+++ b/").split("+++ b/"):
            name, _, lines = change.partition("\n")
            left = "".join(line[1:] for line in lines.splitlines(keepends=True) if line[0] in " +")
            assert left in (ROOT / name).read_text(encoding="utf-8"), f"{block.place}: {name}"


def test_no_command_hides_in_an_indented_block() -> None:
    """Markdown takes them for code as well, and they name no language."""
    assert [page.name for page in PAGES if INDENTED.search(page.read_text(encoding="utf-8"))] == []


def test_every_console_block_begins_with_a_prompt() -> None:
    shells = [block for page in PAGES for block in blocks_of(page) if block.language == "console"]
    assert [block.place for block in shells if not block.text.startswith("$ ")] == []


def test_what_a_page_shows_of_an_output_is_compared_with_it(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ one \\\n> two\nfirst ... line\nsecond\n$ three\n```\n")
    first, second = commands_of(page)
    assert (first.text, second.text, second.shown) == ("one \\\ntwo", "three", None)
    assert first.prints("first and any line\nsecond\n")
    assert not first.prints("first and any line\nthird\n")
    assert second.prints("anything")
