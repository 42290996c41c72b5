"""What reports tell about layers: conventions, traps, confidence and who overrules whom."""

from __future__ import annotations

import random

import pytest

from analysis import evidence
from analysis.layers import (
    Classifier,
    Identity,
    Verdict,
    Weigher,
    classify,
    classify_many,
    weigh,
    with_duration,
)
from analysis.producers import SIGNS
from analysis.rules import Rule, RuleSet
from analysis.votes import Evidence
from projects.vocabulary import EvidenceKind, Layer, RuleField, RuleSyntax

JAVA, PYTEST, GO, DOTNET, PHP, RUBY = "surefire", "pytest", "go", "dotnet", "phpunit", "rspec"


def identity(
    classname: str, *, name: str = "works", suite: str = "", file: str = "", framework: str = ""
) -> Identity:
    return Identity(suite or classname, classname, name, file, framework)


CONVENTIONS = [
    # Java, Kotlin, Android
    ("com.acme.OrderServiceIT", JAVA, "integration"),
    ("com.acme.ITOrders", JAVA, "integration"),
    ("com.acme.OrderITCase", JAVA, "integration"),
    ("com.acme.OrderIntegrationTest", JAVA, "integration"),
    ("com.acme.it.OrderTest", JAVA, "integration"),
    ("com.acme.e2e.CheckoutE2ETest", JAVA, "e2e"),
    ("com.acme.CheckoutAcceptanceTest", JAVA, "e2e"),
    ("com.acme.StringUtilsTest", JAVA, "unit"),
    ("com.acme.ArchitectureTest", JAVA, "static"),
    ("com.acme.bench.SortBenchmark", "jmh", "load"),
    # Python
    ("tests.unit.test_orders", PYTEST, "unit"),
    ("tests.integration.test_orders", PYTEST, "integration"),
    ("tests.e2e.test_checkout.TestCheckout", PYTEST, "e2e"),
    ("tests.functional.test_api", PYTEST, "integration"),
    ("tests.performance.test_import", PYTEST, "load"),
    # Go
    ("github.com/acme/shop/test/e2e", GO, "e2e"),
    ("github.com/acme/shop/integration", GO, "integration"),
    ("github.com/acme/shop/pkg/money", GO, "unit"),
    # .NET
    ("Acme.Shop.UnitTests.MoneyTests", DOTNET, "unit"),
    ("Acme.Shop.IntegrationTests.OrderTests", DOTNET, "integration"),
    ("Acme.Shop.FunctionalTests.OrderTests", DOTNET, "integration"),
    ("Acme.Shop.AcceptanceTests.OrderTests", DOTNET, "e2e"),
    ("Acme.Shop.Tests.OrderTestsL0", DOTNET, "unit"),
    # PHP, Ruby, Elixir, Swift, Rust
    ("Tests.Unit.MoneyTest", PHP, "unit"),
    ("Tests.Feature.OrderTest", PHP, "integration"),
    ("Tests.Browser.LoginTest", PHP, "e2e"),
    ("spec.Acme.MoneySpec", "phpspec", "unit"),
    ("spec.models.order_spec", RUBY, "unit"),
    ("spec.requests.orders_spec", RUBY, "integration"),
    ("spec.controllers.orders_controller_spec", RUBY, "integration"),
    ("spec.features.checkout_spec", RUBY, "e2e"),
    ("spec.system.checkout_spec", RUBY, "e2e"),
    ("Elixir.ShopWeb.OrderControllerTest", "exunit", "integration"),
    ("ShopUITests.CheckoutTests", "xcodebuild", "e2e"),
    ("ShopIntegrationTests.SyncTests", "xcodebuild", "integration"),
    ("integration_test.checkout_test", "dart", "e2e"),
    ("shop::orders", "nextest", "integration"),
    ("shop", "nextest", "unit"),
    # producers
    ("flows.checkout", "maestro", "e2e"),
    ("Checkout.Pay By Card", "robot", "e2e"),
    ("orders.feature", "k6", "load"),
    ("com.acme.Checkout", "gatling", "load"),
    ("src/orders.ts", "eslint", "static"),
    ("orders", "schemathesis", "integration"),
]


@pytest.mark.parametrize(("classname", "framework", "layer"), CONVENTIONS)
def test_a_convention_of_an_ecosystem_is_known(classname: str, framework: str, layer: str) -> None:
    verdict = classify(identity(classname, framework=framework))

    assert verdict.layer.word == layer, verdict.sentence()


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        ("e2e/login.e2e-spec.ts", "e2e"),
        ("src/app/login.cy.ts", "e2e"),
        ("cypress/e2e/login.cy.ts", "e2e"),
        ("cypress/component/button.cy.ts", "unit"),
        ("tests/integration/login.test.ts", "integration"),
        ("src/login.int-spec.ts", "integration"),
        ("src/login.unit.test.ts", "unit"),
        ("app/src/androidTest/java/LoginTest.kt", "e2e"),
        ("shop/src/integrationTest/java/OrderTest.java", "integration"),
        ("shop/src/functionalTest/groovy/BuildTest.groovy", "integration"),
        ("test/system/checkouts_test.rb", "e2e"),
        ("test/controllers/orders_controller_test.rb", "integration"),
        ("tests/Unit/MoneyTest.php", "unit"),
        ("C:\\work\\tests\\integration\\test_orders.py", "integration"),
    ],
)
def test_a_file_tells_its_layer(file: str, layer: str) -> None:
    verdict = classify(Identity("suite", "", "works", file))

    assert verdict.layer.word == layer, verdict.sentence()


@pytest.mark.parametrize(
    ("classname", "framework"),
    [
        ("com.acme.persistence.UnitOfWorkTest", JAVA),
        ("com.acme.math.IntegrationFormulaTest", JAVA),
        ("com.acme.math.NumericalIntegrationTest", JAVA),
        ("com.acme.text.BrowserParserTest", JAVA),
        ("com.acme.text.UnitConverterTest", JAVA),
        ("com.acme.crypto.EndToEndEncryptionTest", JAVA),
        ("com.acme.io.FileSystemPathTest", JAVA),
        ("org.acme.lint.UnusedImportDetectorTest", JAVA),
        ("shop.units.test_unit_conversion", PYTEST),
        ("tests.test_systems.TestSystem", PYTEST),
        ("tests.parsers.test_jmeter_parser", PYTEST),
        ("github.com/acme/cli/command/system", GO),
        ("github.com/acme/linter/rules", GO),
        ("Acme.Tests.LoadBalancerTests", DOTNET),
        ("App.Tests.Provider.it_IT.AddressTest", PHP),
    ],
)
def test_a_word_of_the_product_does_not_swallow_a_unit_test(classname: str, framework: str) -> None:
    verdict = classify(identity(classname, framework=framework))

    assert verdict.layer in (Layer.UNIT, Layer.UNKNOWN) or verdict.confidence < 0.6, verdict.sentence()
    assert verdict.layer is not Layer.E2E


@pytest.mark.parametrize(
    "name", ["end-to-end encryption keeps the key", "encrypts a unit of work", "integration over an interval"]
)
def test_a_name_about_such_a_word_does_not_either(name: str) -> None:
    assert classify(identity("com.acme.KeyTest", name=name, framework=JAVA)).layer is Layer.UNIT


@pytest.mark.parametrize(
    ("suite", "classname", "name", "layer"),
    [
        ("ruff", "", "No errors found", "static"),
        ("mypy", "mypy", "mypy-py3_12-linux", "static"),
        ("pytest", "docs.conf", "FLAKE8", "static"),
        ("src/a.ts", "", "org.biome.lint.style.useConst", "static"),
        ("pkg/a.go", "pkg/a.go:60:2", "errcheck", "static"),
        ("deploy/app.yaml", "Deployment@apps/v1", "web", "static"),
        ("src/a.js", "src/a", "src/a.js", "static"),
        ("k6 thresholds", "Unnamed folder", "http_req_duration - p(95)<400", "load"),
        ("schemathesis", "", "GET /users/{id}", "integration"),
        ("verify", "molecule/default/verify.yml:11", "[web] nginx answers", "integration"),
        ("TestCafe Tests: Chrome 126 / Linux", "Checkout", "pays", "e2e"),
        ("", "CMD.chrome_v126.linux.checkout", "pays", "e2e"),
        (
            "Chrome Headless 126.0.0.0 (Linux 0.0.0)",
            "Chrome Headless 126.0.0.0 (Linux 0.0.0).Cart",
            "adds",
            "unit",
        ),
    ],
)
def test_a_producer_is_known_by_its_own_signs(suite: str, classname: str, name: str, layer: str) -> None:
    verdict = classify(Identity(suite, classname, name, ""))

    assert verdict.layer.word == layer, verdict.sentence()


@pytest.mark.parametrize(
    ("suite", "classname", "name"),
    [("", "", "Test 4"), ("foo", "foo", "foo.1"), ("example-1", "example-1-classname", "example-1-testname")],
)
def test_a_placeholder_is_unknown(suite: str, classname: str, name: str) -> None:
    assert classify(Identity(suite, classname, name, "")).layer is Layer.UNKNOWN


def test_what_a_name_cannot_tell_is_said_with_low_confidence() -> None:
    assert classify(identity("com.acme.OrderTest", framework=JAVA)).confidence < 0.6


@pytest.mark.parametrize(
    ("markers", "properties", "layer"),
    [
        (("e2e",), (), "e2e"),
        (("Integration",), (), "integration"),
        (("django_db",), (), "integration"),
        (("Level:L0",), (), "unit"),
        ((), (("category", "integration"),), "integration"),
        ((), (("test-type", "end-to-end"),), "e2e"),
        ((), (("team", "integration"),), "unit"),
    ],
)
def test_markers_and_properties_speak(
    markers: tuple[str, ...], properties: tuple[tuple[str, str], ...], layer: str
) -> None:
    verdict = classify(identity("com.acme.OrderTest")._replace(markers=markers, properties=properties))

    assert verdict.layer.word == layer, verdict.sentence()


def test_the_browser_a_test_ran_in_speaks() -> None:
    assert classify(identity("checkout")._replace(variant="chromium")).layer is Layer.E2E


@pytest.mark.parametrize("classname", ["tests.contract.test_orders_api", "tests.pact.test_consumer"])
def test_a_contract_test_is_integration_with_a_tag(classname: str) -> None:
    verdict = classify(identity(classname, framework=PYTEST))

    assert (verdict.layer, verdict.tags) == (Layer.INTEGRATION, ("contract",))


# --- who overrules whom


def test_a_rule_wins_over_all_evidence_and_leaves_it_visible() -> None:
    rules = RuleSet([Rule(1, RuleField.PATH, RuleSyntax.GLOB, "tests/e2e/**", Layer.INTEGRATION)])
    one = identity("tests.e2e.test_api", framework=PYTEST)._replace(sent=Layer.E2E)

    verdict = classify(one, rules=rules)

    assert (verdict.layer, verdict.confidence) == (Layer.INTEGRATION, 1.0)
    assert verdict.evidence[0].words == "rule 1, path tests/e2e/**"
    assert {EvidenceKind.SENT, EvidenceKind.PATH} <= {reason.kind for reason in verdict.evidence}


def test_the_layer_sent_with_the_upload_wins_over_what_names_say() -> None:
    verdict = classify(identity("tests.e2e.test_api", framework=PYTEST)._replace(sent=Layer.UNIT))

    assert (verdict.layer, verdict.evidence[0].words) == (Layer.UNIT, "sent with the upload")


def test_a_duration_tips_a_weak_vote() -> None:
    weak = classify(identity("com.acme.OrderTest", framework=JAVA))

    assert weak.layer is Layer.UNIT
    assert with_duration(weak, 2.0).layer is Layer.INTEGRATION


@pytest.mark.parametrize("median_s", [0.0001, 0.02, 0.3, 2.0, 600.0])
def test_a_duration_never_overrules_a_strong_vote(median_s: float) -> None:
    for classname in ("tests.unit.test_a", "tests.integration.test_a", "tests.e2e.test_a"):
        strong = classify(identity(classname, framework=PYTEST))

        assert with_duration(strong, median_s).layer is strong.layer


@pytest.mark.parametrize("median_s", [None, 0.0])
def test_an_untimed_test_keeps_its_verdict(median_s: float | None) -> None:
    verdict = classify(identity("com.acme.OrderTest"))

    assert with_duration(verdict, median_s) is verdict


def test_a_new_duration_takes_the_place_of_the_old_one() -> None:
    verdict = classify(identity("com.acme.OrderTest"))

    once = with_duration(verdict, 0.2)

    assert with_duration(with_duration(verdict, 5.0), 0.2) == once
    assert with_duration(once, None) == verdict


def test_a_duration_changes_nothing_where_a_rule_decided() -> None:
    rules = RuleSet([Rule(1, RuleField.PATH, RuleSyntax.GLOB, "**", Layer.UNIT)])
    verdict = classify(identity("com.acme.OrderTest"), rules=rules)

    assert with_duration(verdict, 600.0) is verdict


# --- adding up and saying it


def test_a_verdict_is_said_in_words() -> None:
    verdict = classify(identity("tests.integration.test_orders", framework=PYTEST), median_s=0.24)

    said = verdict.sentence()

    assert said.startswith("integration, 9")
    assert said.endswith(" %: path tests.integration (+4.2), median 240 ms (+0.4)")


def test_a_vote_for_another_layer_is_said_with_its_name() -> None:
    reasons = [
        Evidence(EvidenceKind.PATH, Layer.UNIT, 4.0, "path tests/unit"),
        Evidence(EvidenceKind.NAME, Layer.E2E, -0.5, "about “page”"),
    ]

    assert weigh(reasons).sentence().endswith("path tests/unit (+4.0), about “page” (e2e −0.5)")


def test_a_test_of_which_nothing_is_known_says_so() -> None:
    assert Verdict(Layer.UNKNOWN, 0.3, ()).sentence() == "unknown, 30 %: nothing tells"


def test_votes_against_each_other_end_in_unknown() -> None:
    reasons = [
        Evidence(EvidenceKind.PATH, Layer.E2E, 1.8, "one"),
        Evidence(EvidenceKind.PATH, Layer.INTEGRATION, 0.5, "another"),
    ]

    verdict = weigh(reasons)

    assert verdict.layer is Layer.UNKNOWN
    assert verdict.confidence < 0.4


def test_a_batch_says_what_each_test_alone_would_hear() -> None:
    batch = [
        identity(classname, framework=framework, name=f"case {n}")
        for n, (classname, framework, _) in enumerate(CONVENTIONS)
    ]

    assert list(classify_many(batch + batch[::-1])) == [classify(one) for one in batch + batch[::-1]]


WORDS = """
Order shop com github acme test Tests spec suite unit Integration e2e E2E e2E it IT ITCase it_IT L0 L2Tests end to
encryption api client Db parser LoginPage system file javascript src cypress features pact contract lint code style
load bench foo example 7 2024 90210 k6 cy e2e-spec feature py ts java get post login [e2e] Straße \0
"""
BORDERS = (".", "/", "\\", "::", "_", "-", " ", "", "", "(", "/")


def _thrown_together(n: int) -> list[Identity]:
    """Make identities of words that mean something, in every order and spelling."""
    chance, words = random.Random(4), [*WORDS.split(), "\n"]

    def text() -> str:
        return "".join(chance.choice(words) + chance.choice(BORDERS) for _ in range(chance.randrange(6)))

    made = []
    for _ in range(n):
        classname = text()
        made.append(
            Identity(
                suite=chance.choice([classname, text(), "pytest"]),
                classname=classname,
                name=chance.choice(
                    [text(), f"test_{text()}", "GET /orders", "[build failed]", "Test 4", classname]
                ),
                file=chance.choice(["", text()]),
                framework=chance.choice(
                    ["", "pytest", "unittest", "go", "jest", "nextest", "dart", "eslint", "x"]
                ),
                variant=chance.choice(["", "", "ci", "chromium"]),
                markers=chance.choice([(), (), ("e2e",), ("slow", "Level:L0")]),
                properties=chance.choice([(), (), (("category", "integration"),), (("team", "x"),)]),
                sent=chance.choice([None, None, Layer.UNIT]),
            )
        )
    return made


def test_what_is_read_with_others_is_read_as_it_would_be_alone() -> None:
    thrown = _thrown_together(4_000)

    together = Classifier().verdicts(thrown)

    assert together == [classify(one) for one in thrown]


def test_what_was_forgotten_to_save_memory_is_read_again_alike() -> None:
    rules = RuleSet([Rule(1, RuleField.NAME, RuleSyntax.GLOB, "*7", Layer.LOAD)])
    many = [
        identity(
            f"com.shop{n % 7}.part{n % 4_001}.order{n}.{word}Test", name=f"pays {n}", framework=JAVA
        )._replace(sent=(None, Layer.UNIT, Layer.E2E)[n % 3])
        for n, word in enumerate(("Db", "Api", "Parser", "Integration", "Login") * 9_000)
    ]
    medians = [(None, 0.002, 0.3)[n % 3] for n in range(len(many))]
    weigher = Weigher(rules)

    found = [
        verdict
        for at in range(0, len(many), 4_000)
        for verdict in weigher.verdicts(many[at : at + 4_000], medians[at : at + 4_000])
    ]

    for at in range(0, len(many), 97):
        assert found[at] == classify(many[at], rules=rules, median_s=medians[at])


def test_the_browser_is_found_beside_an_environment() -> None:
    assert classify(identity("checkout")._replace(variant="ci, Firefox 126")).layer is Layer.E2E
    assert classify(identity("checkout")._replace(variant="postgres-18")).layer is not Layer.E2E


def test_no_string_that_tells_another_producer_is_taken_for_a_path() -> None:
    thrown = _thrown_together(4_000)
    signs = {identity.framework: evidence.Signs(identity.framework) for identity in thrown}
    thrown += [
        Identity(one, other, "", "", framework)
        for framework in signs
        for one in (
            *SIGNS,
            "TestCafe Tests 3",
            "Chrome 126.0 Linux",
            "a.test.js",
            "shop::orders",
            "pods.yaml",
        )
        for other in (one, "main.tf.go:12:3", "Pod@v1beta1", "CMD.chrome", "integration_test.app", "")
    ]

    for suite, classname, _, _, framework, *_ in thrown:
        title, path = (classname, "") if " " in classname else ("", classname)
        told = evidence.traits(framework, suite, path, title)
        alone = evidence.traits(framework, "", "", "")
        assert told == alone or signs[framework].tell([suite, classname])
