import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identities.federation.model import Claims
from entrepot.identities.federation.subjects import ExactSubject, SubjectPattern, glob, names_enough

subjects = st.text("ab*:/", min_size=1, max_size=12)
globs = st.text("ab*?", max_size=8)


def claims(subject: str) -> Claims:
    return Claims("https://idp.example", subject, ("aud",), {"sub": subject})


ACCEPTED = [
    ("repo:org/app:ref:refs/heads/*", "repo:org/app:ref:refs/heads/main"),
    ("repo:org/*:ref:refs/heads/main", "repo:org/app:ref:refs/heads/main"),
    ("repo:org/app-*:environment:prod", "repo:org/app-web:environment:prod"),
    ("repo:org/app-*:environment:prod", "repo:org/app-:environment:prod"),
    ("repo:org/*-*-x:pull_request", "repo:org/a-b-c-x:pull_request"),
    ("repo:org/app:**", "repo:org/app:pull_request"),
    ("repo:org/app:ref:refs/heads/**", "repo:org/app:ref:refs/heads/feature/one:two"),
    ("repo:org/**", "repo:org/app:ref:refs/heads/main"),
    ("system:serviceaccount:*:builder", "system:serviceaccount:team:builder"),
    ("spiffe://example.org/ns/*/sa/web", "spiffe://example.org/ns/team/sa/web"),
    ("https://jenkins.example/job/*/", "https://jenkins.example/job/build/"),
    ("project_path:group/*:ref_type:tag:ref:v*", "project_path:group/app:ref_type:tag:ref:v1.2.3"),
]
REFUSED = [
    ("repo:org/app:ref:refs/heads/*", "repo:org/app:ref:refs/heads/feature/one"),
    ("repo:org/app:ref:refs/heads/*", "repo:org/app:ref:refs/heads/"),
    ("repo:org/app:ref:refs/heads/*", "repo:org/app:ref:refs/tags/main"),
    ("repo:org/*:ref:refs/heads/main", "repo:org/app:environment:x:ref:refs/heads/main"),
    ("repo:org/*:ref:refs/heads/main", "repo:org/app/more:ref:refs/heads/main"),
    ("repo:org/*:ref:refs/heads/main", "repo:org/app:ref:refs/heads/main2"),
    ("repo:org/*:ref:refs/heads/main", "repo:org/app/ref/refs/heads/main"),
    ("repo:org/*:ref:refs/heads/main", "repo:ORG/app:ref:refs/heads/main"),
    ("repo:org/app:**", "repo:org/app"),
    ("repo:org/app:**", "repo:org/app:"),
    ("repo:org/app:**", "repo:org/app-evil:pull_request"),
    ("repo:org/app:**", "repo:org/app/pull_request"),
    ("repo:org/**", "repo:org-evil/app:pull_request"),
    ("system:serviceaccount:*:builder", "system:serviceaccount::builder"),
    ("system:serviceaccount:*:builder", "system:serviceaccount:a:b:builder"),
]


@pytest.mark.parametrize(("pattern", "subject"), ACCEPTED)
def test_a_pattern_accepts_subjects_with_its_segments(pattern: str, subject: str) -> None:
    assert SubjectPattern.parse(pattern).accepts(claims(subject))


@pytest.mark.parametrize(("pattern", "subject"), REFUSED)
def test_a_pattern_accepts_nothing_beyond_its_segments(pattern: str, subject: str) -> None:
    assert not SubjectPattern.parse(pattern).accepts(claims(subject))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("repo:org/app:ref:refs/heads/main", "no \\*"),
        ("*", "first two segments"),
        ("repo:*", "first two segments"),
        ("repo:**", "first two segments"),
        ("repo:org*", "first two segments"),
        ("repo:org*/app:**", "first two segments"),
        ("spiffe://*/web", "first two segments"),
        ("::*", "first two segments"),
        ("repo:org/**:ref", "last segment"),
        ("repo:org/a**", "last segment"),
        ("repo:org/**a", "last segment"),
        ("repo:org/***", "last segment"),
    ],
)
def test_a_pattern_that_says_too_little_or_is_not_clear_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SubjectPattern.parse(pattern)


@given(subjects, subjects)
def test_an_exact_subject_accepts_itself_and_nothing_else(wanted: str, came: str) -> None:
    assert ExactSubject(wanted).accepts(claims(came)) == (wanted == came)


@given(st.lists(st.text("ab*", max_size=4), min_size=1, max_size=5), subjects)
def test_a_pattern_is_the_regular_expression_that_the_page_gives(segments: list[str], subject: str) -> None:
    """``*`` as ``[^/:]*`` in a segment that has at least one character."""
    text = "repo:org/" + ":".join(segments)
    try:
        pattern = SubjectPattern.parse(text)
    except ValueError:
        return
    rest = text.endswith(("/**", ":**"))
    parts = re.split("([/:])", text.removesuffix("**") if rest else text)
    one = [
        f"(?=[^/:]){re.escape(part).replace(chr(92) + '*', '[^/:]*')}" if "*" in part else re.escape(part)
        for part in parts
    ]
    expression = re.compile("".join(one) + (".+" if rest else ""))
    came = "repo:org/" + subject
    assert pattern.accepts(claims(came)) == (expression.fullmatch(came) is not None)


@given(globs, st.text("ab?", max_size=10))
def test_a_glob_is_its_regular_expression(pattern: str, text: str) -> None:
    for single in ("", "?"):
        one = {"*": ".*"} | ({"?": "."} if single else {})
        expression = "".join(one.get(letter, re.escape(letter)) for letter in pattern)
        assert glob(pattern, text, single=single) == (re.fullmatch(expression, text) is not None)


def test_a_pattern_of_many_stars_is_not_slow() -> None:
    pattern = "repo:org/" + "*a" * 290 + "*b"
    assert not SubjectPattern.parse(pattern).accepts(claims("repo:org/" + "a" * 1000))


@given(subjects)
def test_a_text_without_a_wildcard_says_enough(text: str) -> None:
    assert names_enough(text.replace("*", "x"), "*?")
