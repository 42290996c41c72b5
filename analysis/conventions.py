"""The conventions by which the ecosystems say where a test sits: tables, with weights and reasons.

Strong weights stand for words to which a tool or a written convention gives a meaning, weak ones for words
that only lean. How tables are written is in `weights`, what producers are for in `producers`; how votes are
gathered is left to `evidence`, how they add up to `layers`.
"""

from __future__ import annotations

from analysis import weights
from projects.vocabulary import Layer

# What is believed of a test before anything is read: most tests of most suites are unit tests, and static
# checks, load tests and placeholders nearly always say so.
PRIOR: dict[Layer, float] = {
    Layer.UNKNOWN: -1.9,
    Layer.STATIC: -2.2,
    Layer.UNIT: 1.0,
    Layer.INTEGRATION: 0.5,
    Layer.E2E: -0.7,
    Layer.LOAD: -3.2,
}

# A word of a path or package. `rooted`: the directory below tests/ or spec/, or joined with "test"
# (tests/integration, integration-tests). `bare`: any other directory, where it may be a word of the product.
# `affix`: beside "test" in a longer name (OrderIntegrationTest, Api.IntegrationTests, test_e2e_login).
PLACES = weights.places("""
# word          layer     rooted bare affix
integration     integration  4.2  0.9  3.8
integ           integration  4.0  1.0  3.5
integrations    integration  1.6  0.0  0.6  # more often the integrations of a product
it              integration  3.0  2.0  0.0  # Maven: package or source set; *IT is read by its capitals
its             integration  3.0  2.4  0.0
itest           integration  4.0  3.0  3.5
itcase          integration  4.0  3.0  3.5
functional      integration  2.5  1.2  2.2  # a part over its interface; for compilers, golden files
func            integration  2.0  0.3  1.5
feature         integration  2.2  0.1  0.4  # Laravel tests/Feature
requests        integration  2.4  0.2  0.3  # Rails spec/requests
request         integration  1.4  0.1  0.3
controllers     integration  1.6  0.9  0.8  # Rails, Phoenix, Symfony
controller      integration  1.2  0.8  1.2
routing         integration  1.2  0.3  0.5
kernel          integration  1.6  0.2  0.6  # Drupal tests/src/Kernel
contract        integration  2.0  0.3  0.5  # of an interface; else a smart contract, or a PHP interface
contracts       integration  1.0  0.0  0.3
pact            integration  3.0  1.4  2.4
pacts           integration  3.0  1.4  2.4
consumer        integration  0.6  0.3  0.4
interop         integration  1.6  0.6  1.0
component       integration  0.6 -0.2 -0.2
molecule        integration  2.4  1.6  1.6
testinfra       integration  3.0  2.0  2.0
postman         integration  2.5  1.5  1.5
server          integration  0.9  1.0  0.3
routes          integration  0.9  0.8  0.4
backend         integration  0.6  0.4  0.2
api             integration  1.2  0.6  0.7
apis            integration  0.8  0.2  0.5
http            integration  0.3  0.2  0.1
db              integration  1.0  0.5  0.6
database        integration  1.0  0.5  0.6
persistence     integration  1.0  0.7  0.7
repository      integration  0.7  0.5  0.7
repositories    integration  0.7  0.5  0.6
protection      integration  0.5  0.3  0.3
smoke           integration  1.4  0.6  1.2
regression      integration  0.4  0.1  0.1
scenarios       integration  1.0  0.6  0.6
testcontainers  integration  1.6  1.4  1.4
examples        integration  0.6  0.2  0.0
samples         integration  0.4  0.2  0.0
e2e             e2e          4.3  3.9  4.2
endtoend        e2e          4.6  3.8  4.2
acceptance      e2e          2.6  1.4  2.0
acceptancetest  e2e          2.6  1.4  2.0
atest           e2e          4.0  3.0  3.0  # Robot Framework's name for acceptance tests
uat             e2e          3.5  2.0  3.0
system          e2e          2.4 -0.1  2.4  # Rails test/system; else a word of many products
ui              e2e          1.2 -0.4  3.0  # XCTest targets *UITests
gui             e2e          2.6  0.6  2.4
browser         e2e          2.4  0.1  0.6  # Laravel Dusk tests/Browser
selenium        e2e          4.0  2.0  2.6
webdriver       e2e          3.0  1.2  1.6
cypress         e2e          4.0  4.0  3.0
playwright      e2e          3.2  1.2  2.4
puppeteer       e2e          3.0  1.2  2.2
nightwatch      e2e          4.0  3.0  3.0
protractor      e2e          4.0  3.0  3.0
wallaby         e2e          3.5  2.0  2.5
dusk            e2e          3.0  1.0  2.0
features        e2e          2.0  0.3  0.3  # Rails spec/features, Cucumber features/
scenario        e2e          2.0  0.9  0.8
journeys        e2e          3.5  2.0  2.5
journey         e2e          3.0  1.0  2.0
flows           e2e          1.6  0.3  0.8
maestro         e2e          4.0  3.0  3.0
appium          e2e          4.0  3.0  3.0
espresso        e2e          3.5  2.0  2.0
detox           e2e          4.0  3.0  3.0
instrumented    e2e          3.0  2.0  3.0
instrumentation e2e          1.5  0.3  1.0
visual          e2e          1.8  0.3  1.2
workflow        e2e          0.3  0.0  0.2
unit            unit         4.0  2.4  3.8
units           unit         3.6  0.2  1.2  # ansible's test/units; else units of measure
unittest        unit         4.0  3.0  3.0
unittests       unit         4.0  3.0  3.0
unitary         unit         4.0  3.0  3.0
utest           unit         4.0  3.0  3.0
utests          unit         4.0  3.0  3.0
models          unit         1.2  0.2  0.2  # Rails spec/models, by the convention of rspec-rails
helpers         unit         1.2  0.9  0.8
utils           unit         1.2  1.0  1.0
util            unit         1.2  1.1  1.0
lib             unit         0.7  0.4  0.3
pkg             unit         0.9  1.3  0.0  # Go: packages beside their tests
internal        unit         0.4  0.3  0.0
packages        unit         0.5  0.7  0.0
shared          unit         0.6  0.5  0.2
common          unit         0.6  0.6  0.3
core            unit         0.5  0.8  0.2
components      unit         0.9  0.6  0.5
hooks           unit         0.9  0.7  0.6
composables     unit         1.2  0.9  0.6
domain          unit         0.6  0.5  0.3
math            unit         1.0  0.8  0.8
widget          unit         1.0  0.3  0.8  # Flutter: one widget, between unit and integration
mixins          unit         0.8  0.6  0.3
load            load         4.5  0.2  2.4
loadtest        load         6.0  5.5  5.0
loadtests       load         6.0  5.5  5.0
stress          load         3.6  0.6  2.6
soak            load         5.0  2.5  4.0
perf            load         3.6  0.8  3.0
performance     load         5.0  0.4  4.2
benchmark       load         3.4  2.0  3.4
benchmarks      load         4.6  3.6  3.4
bench           load         4.4  2.6  3.0
benches         load         4.6  3.6  3.0
k6              load         3.0  0.0  2.0
gatling         load         5.0  2.4  4.0
jmeter          load         5.0  2.0  3.0
locust          load         5.0  3.0  4.0
artillery       load         2.5  0.2  2.0
jmh             load         5.0  4.0  4.0
lint            static       4.4  0.8  2.6  # bare: the tests of a linter are no check
linting         static       4.4  2.8  3.6
linters         static       1.6  0.2  0.4
static          static       2.4  0.0  1.2
sanity          static       1.8  0.6  0.6
codestyle       static       4.0  3.0  3.5
codequality     static       4.6  3.6  4.4
flake8          static       4.6  3.0  5.0
pep8            static       4.6  3.0  5.0
pycodestyle     static       4.6  3.0  5.0
mypy            static       3.5  1.5  3.5
typing          static       1.0  0.2  0.8
archunit        static       4.5  3.5  4.0
arch            static       4.0  0.8  4.0
architecture    static       4.6  1.5  4.6
""")

# Two directories together: the first makes the second plain.
PAIRS = weights.named("""
unit 12: cypress/component           # a component in a page of its own
e2e 5: cypress/integration         # Cypress before version 10
e2e 4.5: src/androidtest           # on a device
unit 0.3: src/test
integration 2: integration/targets
# Rails and rspec-rails
unit 0.8: spec/models
unit 1: spec/lib
unit 1: spec/helpers
unit 0.6: spec/views
integration 1.5: spec/requests
integration 1.5: spec/controllers
e2e 2.5: spec/features
e2e 2.5: spec/system
unit 0.4: test/models              # with their database, though
integration 1.8: test/controllers
integration 1.2: test/functional
e2e 2: test/system
unit 1: test/helpers
# Laravel
integration 1.4: tests/feature
e2e 2.4: tests/browser
# Drupal
integration 1.5: tests/kernel
integration 2: src/kernel
e2e 3: src/functional              # installs a site and asks it for pages
e2e 6: src/functionaljavascript
""")

# Endings of files and classes to which a tool gives a meaning.
ENDINGS = weights.votes("""
e2e 5: .cy.
e2e 4.5: .e2e-spec. .e2e-test. .e2e.
integration 4: .int-spec. .integration. .integ.
integration 3: .int. .contract.
integration 2.5: .it.
unit 4: .unit.
unit 1: .stories.
load 4: .bench. .perf.
e2e 1.4: .feature
integration 0.6: .feature .bats
integration 0.3: .phpt
integration 4.5: *IT    # Maven failsafe: *IT, IT*, *ITCase
integration 4: *ITest
unit 3.5: *L0           # Microsoft's levels: L0 in memory, L1 with parts, from L2 on deployed
integration 3: *L1
e2e 2: *L2
e2e 3: *L3
""")

# Ways to lay tests out, and forms of names, that say something without a word for a layer.
SHAPES = weights.named("""
integration 1.8: cargo tests            # Cargo's own word for tests/; many only call the public functions
unit 2.7: cargo src
integration 1.7: app.tests unittest     # Django's layout and its XML runner: most tests reach the database
integration 0.6: app.tests pytest
static 6: finding                       # file.go:12:3 as a class or a name: what a linter found
static 5: checked file                  # the suite and the name are one path: eslint, phpcs
integration 3: task                     # tasks/main.yml:12: Ansible changes a host
integration 2.5: method and path        # GET /users/id: an API described and called
e2e 3.2: in browser                     # the browser is a property of the run: Playwright and its like
e2e 6.5: flutter integration test       # the whole app on a device
unknown 6: failed build
unknown 1.7: numbered name              # Test1, testCase 4
unknown 1.0: hollow place               # no proof: node:test writes "test" for every class
unknown 4.6: hollow name
""")

# Markers, tags and categories of a report; also the values of properties such as category=integration.
MARKERS = weights.votes("""
unit 5: unit unittest
unit 2.5: level:l0 small                # small, medium, large: the sizes of Bazel
unit 0.8: fast
integration 5: integ integration integrationtest
integration 4: contract pact testcontainers
integration 3: database db mysql postgres requires_db
integration 2.6: django_db functional   # django_db: the test may reach the database
integration 2.5: docker level:l1 medium redis
integration 2: int network network_required
integration 1.5: api
integration 1: component smoke vcr
e2e 5: e2e end2end endtoend
e2e 4.5: selenium
e2e 4: playwright
e2e 3: acceptance browser system ui
e2e 2.5: javascript large               # javascript: Behat and Capybara start a browser for it
e2e 2: cdp level:l2
e2e 1: live
load 6: loadtest
load 5: load
load 4: benchmark performance stress
load 2: perf
static 6: black flake8 isort pylint ruff
static 5: lint mypy static
""")

# Keys of properties whose value may name a layer.
LAYER_KEYS = weights.words("""
category layer level type testtype test_type test-type test.type kind suite_type testlevel test_level
trait label tag tags group groups testcategory
""")

# What the class or file is about. Weak on purpose: a parser can be tested through a server, and a controller
# with everything around it mocked.
SUBJECTS = weights.votes("""
unit 1.2: converter converters helper helpers lexer reducer reducers tokenizer util utils validator
unit 1.2: validators viewmodel
unit 1.0: math presenter
unit 0.8: array ast builder codec decoder dto encoder encoding enum format formatter hash mapper matrix
unit 0.8: number numbers parse parser selectors slice string strings templatetags transformer vector
unit 0.6: color component diff exception exceptions hook hooks selector strategy stub type types
unit 0.4: check collection collections config crypto date datetime duration entity factory handler
unit 0.4: markdown mock model path resolver store time url version widget
unit 0.2: adapter fake provider rule tag validation
integration 2.0: pact
integration 1.6: mockmvc
integration 1.4: postgres postgresql viewset
integration 1.2: dao jdbc jpa views
integration 1.0: database elasticsearch kafka mariadb rabbitmq
integration 0.8: application bigquery cassandra controller controllers db dynamodb endpoint endpoints
integration 0.8: hibernate interop jetty mongo mongodb mysql orm pubsub redis repositories repository
integration 0.8: spanner sqlalchemy subprocess tomcat
integration 0.6: admin api apis broker cli container docker graphql grpc jersey ldap mvc oracle
integration 0.6: permissions rest s3 server smoke smtp sql sqlite startup terraform transaction websocket
integration 0.4: account auth authentication aws azure bootstrap cluster concurrent consumer ec2
integration 0.4: eloquent gcp kubernetes login migration migrations publish socket tasks upload users
integration 0.4: webhook webhooks worker
integration 0.2: app commands oauth view
e2e 0.6: page
e2e 0.4: login navigation onboarding screenshot
load 1.8: benchmarks
load 1.6: bench benchmark
load 0.6: simulation
static 3.0: archunit
static 2.6: architecture codestyle
static 0.6: lint structure
""")

# Words of a test's own name and of titles: whole words, and most names have none.
NAMES = weights.votes("""
e2e 4.2: (e2e) [e2e]
e2e 3.6: e2e
e2e 3.0: end-to-end     # but end-to-end encryption is a feature
e2e 1.6: cypress
e2e 1.2: selenium
e2e 1.0: playwright
e2e 0.6: homepage navigate navigates
e2e 0.4: click clicking clicks login page
e2e 0.2: button
integration 0.4: integration
integration 0.4: database endpoint forbidden redirect redirects unauthorized
integration 0.2: api get post request
unit 0.8: reducer
unit 0.6: parses
unit 0.4: mock parse render renders throw throws
unit 0.2: null returns
static 6: mypy-status
static 5: flake8 mypy pylint ruff
static 4: eslint
static 3: black codestyle
static 2: lint
""")

# Words that say nothing: a name of such words alone is a placeholder, and so is a class.
HOLLOW = weights.words("""
foo bar baz qux quux example examples sample demo dummy minimal tutorial some name names my acme hello world
class classname testname custom fails fail failing failed failure passes pass passing passed error errors
skip skipped skipping always never success one two three four five six seven eight nine ten first second
third test tests testing testcase case cases suite testsuite spec simple basic flaky package lib cukes
parameterized param in out now a an the with and will report as is of no yes ok b c d x y z method methods
ms build home runner work somepath scratch toy record xml attribute someclass root unnamed untitled title
result results slow
""")
