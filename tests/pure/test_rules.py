"""A project's own rules, and patterns that cannot hang a worker."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import patterns, rules
from analysis.layers import Identity
from analysis.patterns import BadPattern
from analysis.rules import BadRules, Rule, RuleSet
from projects.vocabulary import Layer, RuleField, RuleSyntax


def rule(
    pattern: str,
    *,
    field: RuleField = RuleField.PATH,
    syntax: RuleSyntax = RuleSyntax.GLOB,
    layer: Layer = Layer.INTEGRATION,
    position: int = 1,
) -> Rule:
    return Rule(position=position, field=field, syntax=syntax, pattern=pattern, layer=layer)


ORDERS = Identity(
    suite="pytest",
    classname="tests.db.test_orders.TestOrders",
    name="test_cancel[paid]",
    file="tests/db/test_orders.py",
    variant="postgres-18",
    markers=("slow", "django_db"),
    properties=(("team", "shop"),),
)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("tests/db/**", "tests/db/test_a.py", True),
        ("tests/db/**", "tests/db/deep/er/test_a.py", True),
        ("tests/db/*", "tests/db/deep/test_a.py", False),
        ("tests/db/", "tests/db/deep/test_a.py", True),
        ("db/*.py", "tests/db/test_a.py", True),
        ("/db/*.py", "tests/db/test_a.py", False),
        ("/tests/**", "tests/db/test_a.py", True),
        ("**/test_?.py", "tests/db/test_a.py", True),
        ("**/e2e/**/*.ts", "web/e2e/a.ts", True),
        ("*.{cy,e2e}.ts", "web/login.cy.ts", True),
        ("*.{cy,e2e}.ts", "web/login.spec.ts", False),
        ("test_[a-c].py", "tests/test_b.py", True),
        ("test_[!a-c].py", "tests/test_b.py", False),
        ("tests/b", "tests/bb", False),
        ("a+b.py", "a+b.py", True),
    ],
)
def test_a_glob_over_paths_reads_like_a_gitignore(pattern: str, path: str, matches: bool) -> None:
    assert patterns.glob(pattern, separator="/")(path) is matches


@pytest.mark.parametrize(
    ("field", "pattern"),
    [
        (RuleField.PATH, "tests/db/*"),
        (RuleField.SUITE, "pytest"),
        (RuleField.CLASSNAME, "*.db.*"),
        (RuleField.NAME, "*cancel*"),
        (RuleField.PROPERTY, "team=shop"),
        (RuleField.MARKER, "django_*"),
        (RuleField.ENVIRONMENT, "postgres-*"),
    ],
)
def test_a_rule_reads_the_part_of_a_test_that_it_names(field: RuleField, pattern: str) -> None:
    assert RuleSet([rule(pattern, field=field)]).match(ORDERS) is not None
    assert RuleSet([rule("nothing-like-it", field=field)]).match(ORDERS) is None


def test_the_first_rule_that_matches_wins() -> None:
    early = rule("tests/**", layer=Layer.UNIT, position=1)
    late = rule("tests/db/**", layer=Layer.E2E, position=2)

    assert RuleSet([late, early]).match(ORDERS) == early


@pytest.mark.parametrize(
    ("identity", "path"),
    [
        (Identity("pytest", "tests.db.test_a", "test_x", ""), "tests/db/test_a"),
        (
            Identity("github.com/acme/shop/db", "github.com/acme/shop/db", "TestX", ""),
            "github.com/acme/shop/db",
        ),
        (Identity("e2e/a.spec.ts", "", "x", ""), "e2e/a.spec.ts"),
        (Identity("s", "c", "n", "tests\\a.cs"), "tests/a.cs"),
        (Identity("s", "c", "n", "file://./e2e/a.ts"), "e2e/a.ts"),
        (Identity("", "Shop::OrderTest", "n", ""), "Shop/OrderTest"),
    ],
)
def test_a_path_is_told_even_by_reports_without_files(identity: Identity, path: str) -> None:
    assert rules.path(identity) == path


@pytest.mark.parametrize(
    ("pattern", "message", "place"),
    [
        ("(a", "missing )", 0),
        ("a**b", "multiple repeat", 2),
        ("[z-a]", "bad character range", 1),
        (r"(a)\1", "Back-references", None),
        ("(?=a)b", "Look-arounds", None),
        ("(?<!a)b", "Look-arounds", None),
        ("(?>a+)b", "Atomic groups", None),
        ("(?m)^a", "(?m)", None),
        ("a{500}{500}", "multiple repeat", 6),
        ("(a{300}){300}", "too large", None),
        ("((){4000}){4000}" + "x{4000}", "too large", None),
        ("(" * 240 + "a" + ")" * 240 + "b" * 40, "split it", None),
        ("a" * 501, "split it", None),
    ],
)
def test_a_pattern_that_is_not_taken_gets_a_reason(pattern: str, message: str, place: int | None) -> None:
    with pytest.raises(BadPattern) as refused:
        patterns.regex(pattern)

    assert message in str(refused.value)
    assert place is None or refused.value.place == place


@pytest.mark.parametrize("pattern", ["", "   ", "a[b", "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"])
def test_a_glob_that_says_nothing_or_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        RuleSet([rule(pattern)])


def test_rules_that_take_too_long_are_named() -> None:
    ruleset = RuleSet([rule("tests/**"), rule("[a-m].{80}q", syntax=RuleSyntax.REGEX, position=2)])
    chance = random.Random(1)
    for _ in range(100):
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=80))
        ruleset.match(ORDERS._replace(file=text))

    ruleset.check_pace()
    with pytest.raises(BadRules, match=r"Rule 2: The pattern takes too long"):
        ruleset.check_pace(most=10_000)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "(.*)*x$",
        "(.*a){25}x",
        ".*.*.*.*.*.*.*.*.*.*x",
        "(?:a?){60}a{60}$",
        r"^(\w+\s?)*$",
        "(?i)(A+)+b",
        "((a{1,20}){1,15})$",
        "(a|b|ab)*c",
        "(x+x+)+y",
    ],
)
def test_no_regular_expression_can_hang_a_worker(pattern: str) -> None:
    try:
        matches = patterns.regex(pattern)
    except BadPattern:
        return

    for text in ("a" * 5_000 + "!", "ab" * 5_000, "x" * 5_000, "a b " * 1_000 + "!"):
        matches(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "**/" * 100 + "x", "{a,b}*{a,b}*{a,b}*{a,b}*c"])
def test_no_glob_can_hang_a_worker(pattern: str) -> None:
    patterns.glob(pattern, separator="/")("a" * 5_000)


@pytest.mark.timeout(20)
def test_a_pattern_with_very_many_states_of_mind_forgets_some() -> None:
    matches = patterns.regex("a[ab]{14}c")
    text = "".join("ab"[number * number % 7 % 2] for number in range(900))

    assert not matches(text)
    assert matches(text + "a" + "b" * 14 + "c")


PARTS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "ab",
            ".",
            r"\w",
            r"\d",
            r"\b",
            r"\B",
            "^",
            "$",
            "[ab]",
            "[^a]",
            "(a|b)",
            "(?:ab)?",
            "a*",
            "b+",
        ),
        *(
            "a{2,3}",
            "a??",
            "(?i:A)",
            "(a|)",
            "(a*)*",
            "-",
            r"\s",
            "[a-c1-3]",
            r"[\d_]",
            "(b|ab)+",
            "A",
            r"\.",
        ),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PARTS, max_size=6), st.text(alphabet="abAB1_ -.", min_size=1, max_size=12))
def test_a_pattern_finds_what_python_finds(parts: list[str], text: str) -> None:
    pattern = "".join(parts)

    assert patterns.regex(pattern)(text) is (re.search(pattern, text) is not None)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab*?", min_size=1, max_size=8), st.text(alphabet="ab", max_size=10))
def test_a_glob_matches_whole_texts(pattern: str, text: str) -> None:
    source = "".join({"*": ".*", "?": "."}.get(sign, sign) for sign in pattern)

    assert patterns.glob(pattern)(text) is (re.fullmatch(source, text) is not None)


# --- TOML

LISTS = st.lists(
    st.builds(
        Rule,
        position=st.just(0),
        field=st.sampled_from(RuleField),
        syntax=st.just(RuleSyntax.GLOB),
        pattern=st.text(
            alphabet=st.characters(exclude_characters="[{", exclude_categories=["Cs"]),
            min_size=1,
            max_size=20,
        ).filter(str.strip),
        layer=st.sampled_from(Layer),
    ),
    max_size=5,
)


@given(LISTS)
def test_rules_survive_a_trip_through_toml(drawn: list[Rule]) -> None:
    written = [
        rule(one.pattern, field=one.field, syntax=one.syntax, layer=one.layer, position=position)
        for position, one in enumerate(drawn, start=1)
    ]

    assert rules.from_toml(rules.to_toml(written)) == written


def test_toml_needs_no_syntax_for_a_glob() -> None:
    (one,) = rules.from_toml('[[rule]]\nfield = "path"\npattern = "tests/db/**"\nlayer = "integration"\n')

    assert one == rule("tests/db/**")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule", "Not TOML"),
        ("rules = 1", "Expected only [[rule]] tables, not rules."),
        ("rule = 1", "Expected only [[rule]] tables."),
        ('[[rule]]\nfield = "path"', "Rule 1: The key 'pattern' is missing or no text."),
        ('[[rule]]\nfield = "path"\npattern = "a"\nlayer = "big"', "Rule 1: 'big' is none of"),
        (
            '[[rule]]\nfield = "path"\npattern = "a"\nlayer = "unit"\ncolour = 1',
            "Rule 1: Unknown key 'colour'",
        ),
        (
            '[[rule]]\nfield = "name"\nsyntax = "regex"\npattern = "(a"\nlayer = "unit"',
            "Rule 1: Not a regular expression",
        ),
    ],
)
def test_toml_that_is_not_taken_gets_a_reason_and_a_place(text: str, message: str) -> None:
    with pytest.raises(BadRules, match=re.escape(message)):
        rules.from_toml(text)


def test_a_project_has_a_bounded_number_of_rules() -> None:
    with pytest.raises(BadRules, match="at most 200"):
        RuleSet(rule(f"a{number}", position=number) for number in range(201))
