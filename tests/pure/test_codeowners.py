"""Whose a path is: GitHub's patterns, GitLab's sections, comments, escapes, and lines that cannot be read."""

from __future__ import annotations

import pytest

from analysis.codeowners import path_of, read


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "a/b/c.py", True),
        ("*.js", "src/app/a.js", True),
        ("*.js", "src/app/a.ts", False),
        ("/build/logs/", "build/logs/a/b.log", True),
        ("/build/logs/", "src/build/logs/a.log", False),
        ("docs/*", "docs/start.md", True),
        ("docs/*", "docs/build/fail.md", False),
        ("apps/", "src/apps/shop/a.py", True),
        ("apps/", "apps", False),
        ("/apps/github", "apps/github/a.py", True),
        ("/docs/", "docs/a.md", True),
        ("/docs/", "src/docs/a.md", False),
        ("**/logs", "build/logs/a.log", True),
        ("**/logs", "logs/a.log", True),
        ("**/logs", "mylogs/a.log", False),
        ("tests/unit", "tests/unit/test_a.py", True),
        ("tests/unit", "src/tests/unit/test_a.py", False),
        ("tests/**/api/", "tests/shop/v1/api/test_a.py", True),
        ("tests/**/api/", "tests/api/test_a.py", True),
        ("tests/**", "tests/a/b.py", True),
        ("test_?.py", "tests/test_a.py", True),
        ("test_?.py", "tests/test_ab.py", False),
        ("my\\ docs/", "my docs/a.md", True),
        ("\\#notes/", "#notes/a.md", True),
        ("a.py", "src/axpy", False),
        ("/a+b(c).py", "a+b(c).py", True),
    ],
)
def test_a_pattern_fits_as_on_github(pattern: str, path: str, fits: bool) -> None:
    assert read(f"{pattern} @ada").owners_of(path) == (("@ada",) if fits else ())


def test_the_last_pattern_that_fits_decides() -> None:
    owners = read("*  @everybody\n/tests/  @shop/quality ada@shop.example # inline\n/tests/lab/\n")

    assert owners.owners_of("src/a.py") == ("@everybody",)
    assert owners.owners_of("./tests/a.py") == ("@shop/quality", "ada@shop.example")
    assert owners.owners_of("tests/lab/a.py") == ()
    assert owners.n_rules == 3


def test_every_section_of_gitlab_names_its_owners() -> None:
    owners = read(
        "* @all\n[Docs] @writers\n*.md\nREADME.md @ada\n^[Tests][2] @quality\n/tests/\n"
        "!/tests/lab/\n[docs]\ninternal/x.md @bob\n"
    )

    assert owners.owners_of("a.md") == ("@all", "@writers")
    assert owners.owners_of("deep/README.md") == ("@all", "@ada")
    assert owners.owners_of("tests/a.py") == ("@all", "@quality")
    assert owners.owners_of("tests/lab/a.py") == ("@all",)
    assert owners.owners_of("a/internal/x.md") == ("@all", "@bob")
    assert owners.unread == ()


def test_a_folder_of_gitlab_ends_in_a_slash() -> None:
    owners = read("[All]\n/docs @ada\n/tests/ @bob\n")

    assert owners.owners_of("docs/a.md") == ()
    assert owners.owners_of("tests/a.py") == ("@bob",)


def test_what_cannot_be_read_is_told_with_its_line_and_left_out() -> None:
    owners = read("# all\n* @ada\n\n!a.py @bob\n[ab].py @bob\nb.py bob\nc.py @carol nobody\n" + "x" * 3000)

    assert [one.line for one in owners.unread] == [4, 5, 6, 7, 8]
    assert "'bob' is no owner" in owners.unread[2].why
    assert owners.owners_of("b.py") == ("@ada",)
    assert owners.owners_of("c.py") == ("@carol",)


def test_an_empty_file_owns_nothing() -> None:
    assert read("\ufeff# nothing\n").owners_of("a.py") == ()


@pytest.mark.parametrize(
    ("file", "classname", "framework", "path"),
    [
        ("tests/test_a.py", "tests.test_a", "pytest", "tests/test_a.py"),
        ("com/shop/CartTest.java", "com.shop.CartTest", "surefire", "src/test/java/com/shop/CartTest.java"),
        (
            "com/shop/CartTest.java",
            "com.shop.CartTest$Inner",
            "junit5",
            "src/test/java/com/shop/CartTest.java",
        ),
        (
            "app/src/test/java/com/shop/CartTest.java",
            "com.shop.CartTest",
            "gradle",
            "app/src/test/java/com/shop/CartTest.java",
        ),
        ("", "shop.Cart", "", ""),
    ],
)
def test_a_path_in_the_repository_is_told_by_the_report(
    file: str, classname: str, framework: str, path: str
) -> None:
    assert path_of(file=file, classname=classname, framework=framework) == path
