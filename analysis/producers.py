"""The tools that write reports: what each is for, and the names that give it away.

Knows no strings of a single test. What a report says of itself is read by ingest; names and paths are read by
`evidence`.
"""

from __future__ import annotations

from analysis import weights

# The producer, where the report shows it. A tool that can do one thing only is nearly proof; a test runner
# that people use for everything leans towards what it is mostly used for.
FRAMEWORKS = weights.votes("""
# The tool reads code and runs none of it.
static 12: actionlint ansible-lint bandit biome black cfn-lint cfn-nag checkov checkstyle clang-tidy clippy
static 12: codespell cppcheck credo detekt dialyzer eslint flake8 golangci-lint golint govet hadolint
static 12: helm-lint htmlhint jshint jsonlint kics ktlint kube-linter kube-score kubeconform kubeval
static 12: markdownlint mypy oxlint phan php-cs-fixer phpcs phpmd phpstan pmd prettier psalm pyright rubocop
static 12: ruff scalafmt scalastyle semgrep shellcheck sobelow solhint spotbugs staticcheck stylelint
static 12: swiftlint terrascan tflint tfsec tslint yamllint
static 8: buf pylint slither spectral trivy vacuum vale
static 7: conftest
static 6: ansible-test   # its sanity checks; its units and targets come from pytest and the callback
static 4: verify         # the class that shell scripts of checks write

load 8: artillery clusterloader2 gatling jmeter k6 locust vegeta wrk
load 7.5: taurus         # runs JMeter, Gatling and Locust, and writes their labels
load 6: google-benchmark jmh
load 5: pytest-benchmark

# It drives a browser, a phone or a whole system.
e2e 6: maestro
e2e 5: appium codeceptjs cypress detox katalon nightwatch protractor testcafe xcuitest
e2e 4.5: casperjs selenium serenity sonobuoy
e2e 4.2: robot robotframework
e2e 4: chainsaw espresso kuttl puppeteer
e2e 3.8: webdriverio     # its component tests are the exception
e2e 3.5: gauge playwright  # tests of an API alone exist
e2e 3: behat karate
e2e 2.6: newman postman
e2e 2.2: bruno
e2e 2.2: cucumber cucumber-js cucumber-jvm lettuce  # sentences about a site, or about a program
e2e 1.6: behave codeception
e2e 1.2: tempest

# Several parts together, or one over its real interface.
integration 6: dredd schemathesis
integration 5: container-structure-test pact
integration 4.5: ansible goss inspec kitchen molecule serverspec testinfra  # changes or asks a real host
integration 4: hurl rest-assured supertest tavern terratest testcontainers
integration 3.6: bruno newman postman
integration 3.5: venom
integration 3: pgtap
integration 2.4: bats tsqlt utplsql  # a program or a database, seldom a function
integration 2.2: cram
integration 2: karate
integration 1.6: shellspec tempest
integration 1.5: behave codeception
integration 1.2: cucumber cucumber-js cucumber-jvm shell2junit
integration 1: tap django

# Small and in process.
unit 4: phpspec
unit 2.2: karma
unit 2: kahlan
unit 1.9: cmocka cppunit doctest googletest gtest nette unity
unit 1.6: boost catch2 criterion
unit 1.4: eunit swift-test
unit 1.2: jasmine qtest qunit
unit 1: ava hspec rspec
unit 0.8: jest script vitest xcodebuild tape
unit 0.6: dart flutter
unit 0.4: cargo

# Steps of a pipeline written as tests.
unknown 7: ci-operator
unknown 5: kubetest
unknown 2.6: generic
""")

# Suites and classes that only one producer writes, for reports that do not name it otherwise.
SIGNS: dict[str, str] = {
    **{
        tool: tool
        for tool in (
            "pytest",
            "ruff",
            "mypy",
            "flake8",
            "pylint",
            "phpstan",
            "psalm",
            "rubocop",
            "checkstyle",
            "eslint",
            "stylelint",
            "hadolint",
            "yamllint",
            "shellcheck",
            "tflint",
            "checkov",
            "rspec",
            "ansible-test",
            "schemathesis",
            "verify",
        )
    },
    "Formatting Test": "swiftlint",
    "CloudFormation Lint": "cfn-lint",
    "sanity": "ansible-test",
    "k6 thresholds": "k6",
    "sample_labels": "taurus",
    "bzt": "taurus",
    "ClusterLoaderV2": "clusterloader2",
    "step graph": "ci-operator",
    "cluster install": "ci-operator",
    "e2e.go": "kubetest",
    "subunit2junitxml": "subunit",
    "TestCafe Tests": "testcafe",
    "Cucumber": "cucumber",
    "Minitest::Result": "minitest",
    "molecule_test_suite": "pytest",
}
