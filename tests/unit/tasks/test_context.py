"""What the text of a context means (ACR-TASKS 4.6)."""

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.tasks.context import (
    TOKEN_USER,
    Archive,
    Artifact,
    Context,
    ContextInvalid,
    Git,
    Nothing,
    Upload,
    parse_context,
)

DIGEST = Digest.parse("sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("", Nothing()),
        ("/dev/null", Nothing()),
        ("source/202611271200/4b0f.tar.gz", Upload("source/202611271200/4b0f.tar.gz")),
        ("https://git.example.com/a/b.git", Git("https://git.example.com/a/b.git")),
        ("http://localhost:3000/a/b.git#main", Git("http://localhost:3000/a/b.git", "main")),
        ("https://git.example.com/b.git#v1.2:src/app/", Git("https://git.example.com/b.git", "v1.2", "src/app")),
        ("https://git.example.com/b.git#:src", Git("https://git.example.com/b.git", "", "src")),
        ("https://git.example.com/b.git#refs/pull/7/merge", Git("https://git.example.com/b.git", "refs/pull/7/merge")),
        ("https://github.com/a/b#main:x", Git("https://github.com/a/b", "main", "x")),
        ("github.com/a/b", Git("https://github.com/a/b")),
        ("git://git.example.com/b", Git("git://git.example.com/b")),
        ("https://dev.azure.com/o/p/_git/r#main", Git("https://dev.azure.com/o/p/_git/r", "main")),
        ("https://o.visualstudio.com/p/_git/r", Git("https://o.visualstudio.com/p/_git/r")),
        ("https://me:pw@git.example.com/b.git", Git("https://git.example.com/b.git", user="me", password="pw")),
        ("https://t0k@git.example.com/b.git", Git("https://git.example.com/b.git", user=TOKEN_USER, password="t0k")),
        ("https://[::1]:8080/b.git", Git("https://[::1]:8080/b.git")),
        ("https://example.com/app.tar.gz", Archive("https://example.com/app.tar.gz")),
        ("https://u:p%40@example.com/app.tar?sig=1#x:y", Archive("https://example.com/app.tar?sig=1", "u", "p@")),
        ("https://example.com/b.git#", Archive("https://example.com/b.git")),
        ("https://dev.azure.com/o/p/_git/r?x=1", Archive("https://dev.azure.com/o/p/_git/r?x=1")),
        ("oci://r.example.com:5000/a/b:v1", Artifact("r.example.com:5000", RepositoryName("a/b"), Tag("v1"))),
        ("OCI://r.example.com/a", Artifact("r.example.com", RepositoryName("a"), Tag("latest"))),
        (
            f"oci://r.example.com/a@{DIGEST}",
            Artifact("r.example.com", RepositoryName("a"), DIGEST),
        ),
    ],
)
def test_a_text_is_one_kind_of_context(text: str, context: Context) -> None:
    assert parse_context(text) == context


def test_a_token_that_is_given_apart_counts() -> None:
    found = parse_context("https://old@git.example.com/b.git#main", token="new")
    assert found == Git("https://git.example.com/b.git", "main", user=TOKEN_USER, password="new")


@pytest.mark.parametrize(
    "text",
    [
        "--upload-pack=touch /tmp/x",
        "--upload-pack=x",
        "-x",
        "file:///etc/passwd",
        "file:///srv/repository.git",
        "ext::sh -c x",
        "ext::x",
        "ssh://git@example.com/b.git",
        "git@github.com:a/b.git",
        "ftp://example.com/x.tar",
        "/etc",
        "../x",
        "./x",
        "https://example.com/b.git#--upload-pack=x",
        "https://example.com/b.git#a..b",
        "https://example.com/b.git#a^{commit}",
        "https://example.com/b.git#HEAD@{1}",
        "https://example.com/b.git#a\nb",
        "https://example.com/b.git#main:../..",
        "https://example.com/b.git#main:a/../../b",
        "https://example.com/b.git#main:..\\x",
        "https:///b.git",
        "https://-x/b.git",
        "https://example.com:99999/b.git",
        "https://[::1/b.git",
        "oci://",
        "oci://r.example.com",
        "oci://-x/a",
        "oci://r.example.com/a:b:c",
        "https://example.com/" + "x" * 2048,
        "a b",
        "a\x00b",
    ],
)
def test_what_could_be_something_else_is_refused(text: str) -> None:
    with pytest.raises(ContextInvalid):
        parse_context(text)


def test_a_refusal_does_not_tell_the_credentials() -> None:
    with pytest.raises(ContextInvalid) as raised:
        parse_context("https://me:secret@example.com:99999/b.git")
    assert "secret" not in str(raised.value)
