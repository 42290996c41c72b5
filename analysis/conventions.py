"""The conventions by which the ecosystems say where a test sits: tables, with a weight and a reason each.

A weight is in log-odds: +0.7 doubles the odds of a layer, +2.3 makes them ten to one, a negative one speaks
against it. Strong weights stand for words that a tool or a written convention gives meaning to, weak ones for
words that only lean. How votes are gathered and added is left to `layers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from projects.vocabulary import Layer

# What is believed of a test before anything is read: most tests of most suites are unit tests, and static checks,
# load tests and placeholders nearly always say so.
PRIOR: dict[Layer, float] = {
    Layer.UNKNOWN: -1.6,
    Layer.STATIC: -2.4,
    Layer.UNIT: 0.9,
    Layer.INTEGRATION: 0.5,
    Layer.E2E: -0.7,
    Layer.LOAD: -3.2,
}


class Vote(NamedTuple):
    """What one convention says: so much for (or against) a layer."""

    layer: Layer
    weight: float


class Place(NamedTuple):
    """A word of a path: weights where it is a directory of tests, any other directory, a part of a test's name."""

    layer: Layer
    rooted: float
    bare: float
    affix: float


_LAYERS = {layer.word: layer for layer in Layer}


def _lines(table: str) -> Iterator[list[str]]:
    for line in table.splitlines():
        columns = line.split("#", 1)[0].split()
        if columns:
            yield columns


def _votes(table: str) -> dict[str, tuple[Vote, ...]]:
    """Read lines of `word layer weight [layer weight ...]`."""
    return {
        word: tuple(
            Vote(_LAYERS[layer], float(weight)) for layer, weight in zip(rest[::2], rest[1::2], strict=True)
        )
        for word, *rest in _lines(table)
    }


def _places(table: str) -> dict[str, Place]:
    """Read lines of `word layer rooted bare affix`."""
    return {
        word: Place(_LAYERS[layer], float(rooted), float(bare), float(affix))
        for word, layer, rooted, bare, affix in _lines(table)
    }


# The producer, where the report shows it. A tool that can do one thing only is nearly proof; a test runner that
# people use for everything leans by what it is mostly used for.
FRAMEWORKS = _votes("""
# --- static: the tool reads code and runs none
eslint static 9
ruff static 9
mypy static 9
pyright static 9
flake8 static 9
pylint static 8
black static 9
rubocop static 9
checkstyle static 9
pmd static 9
spotbugs static 9
detekt static 9
ktlint static 9
swiftlint static 9
golangci-lint static 9
golint static 9
staticcheck static 9
govet static 9
phpstan static 9
psalm static 9
phpcs static 9
phan static 9
phpmd static 9
php-cs-fixer static 9
biome static 9
oxlint static 9
tslint static 9
jshint static 9
stylelint static 9
prettier static 9
htmlhint static 9
markdownlint static 9
yamllint static 9
jsonlint static 9
actionlint static 9
hadolint static 9
shellcheck static 9
ansible-lint static 9
ansible-test static 6  # sanity checks; its units and targets are reported by pytest and the callback
cfn-lint static 9
cfn-nag static 9
tflint static 9
tfsec static 9
checkov static 9
terrascan static 9
kics static 9
trivy static 8
semgrep static 9
bandit static 9
kubeconform static 9
kubeval static 9
kube-score static 9
kube-linter static 9
conftest static 7
helm-lint static 9
buf static 8
spectral static 8
vale static 8
codespell static 9
cppcheck static 9
clang-tidy static 9
clippy static 9
credo static 9
dialyzer static 9
sobelow static 9
scalastyle static 9
scalafmt static 9
slither static 8
solhint static 9
vacuum static 8
# --- load
k6 load 8
gatling load 8
jmeter load 8
taurus load 7.5  # runs JMeter, Locust and Gatling, and writes their labels
locust load 8
artillery load 8
vegeta load 8
wrk load 8
clusterloader2 load 8
google-benchmark load 6
pytest-benchmark load 5
jmh load 6
# --- e2e: the tool drives a browser, a phone or a whole system
playwright e2e 3.4  # request-only API tests and runner tests exist
cypress e2e 5
testcafe e2e 5
nightwatch e2e 5
protractor e2e 5
puppeteer e2e 4
webdriverio e2e 3.8  # its component tests are the exception
selenium e2e 4.5
casperjs e2e 4.5
codeceptjs e2e 5
katalon e2e 5
cucumber e2e 2 integration 1.2
cucumber-js e2e 2 integration 1.2
behave e2e 1.6 integration 1.4
behat e2e 3
codeception e2e 1.6 integration 1.4
robot e2e 4.2
robotframework e2e 4.2
serenity e2e 4.5
gauge e2e 3.5
lettuce e2e 2
maestro e2e 6
detox e2e 5
appium e2e 5
espresso e2e 4
xcuitest e2e 5
karate e2e 3.0 integration 2.0  # drives a deployed interface, with or without a browser
tempest e2e 1.2 integration 1.6
# --- integration: several parts, or one over its real interface
schemathesis integration 6
dredd integration 6
pact integration 5
newman integration 3.6 e2e 2.6
postman integration 3.6 e2e 2.6
bruno integration 3.6 e2e 2.2
hurl integration 4
tavern integration 4
venom integration 3.5
rest-assured integration 4
supertest integration 4
testcontainers integration 4
ansible integration 4.5  # a target or a molecule scenario changes a real host
molecule integration 4.5
testinfra integration 4.5
serverspec integration 4.5
inspec integration 4.5
goss integration 4.5
kitchen integration 4.5
container-structure-test integration 5
terratest integration 4
kuttl e2e 4
chainsaw e2e 4
sonobuoy e2e 4.5
bats integration 2.4  # runs a program, seldom a function
shellspec integration 1.6
shell2junit integration 1.2
cram integration 2.2
tap integration 1.0  # pg_prove, prove: programs and databases more than functions
pgtap integration 3
utplsql integration 2.4
tsqlt integration 2.4
ktor integration 2
# --- unit: small, in process
googletest unit 1.8
gtest unit 1.8
catch2 unit 1.6
doctest unit 1.8
boost unit 1.6
cppunit unit 1.8
qtest unit 1.2
cmocka unit 1.8
criterion unit 1.6
unity unit 1.8
phpspec unit 4
kahlan unit 2
nette unit 1.8
karma unit 2.2
jasmine unit 1.2
qunit unit 1.2
ava unit 1
tape unit 0.8
vitest unit 0.9
jest unit 0.8
swift-test unit 1.4
xcodebuild unit 0.8
dart unit 0.6
flutter unit 0.6
eunit unit 1.4
hspec unit 1
rspec unit 0.8
nextest unit 0.2
cargo unit 0.4
# --- steps of a pipeline written as tests
ci-operator unknown 7
kubetest unknown 5
generic unknown 1.6
verify static 3.5  # the class that shell scripts of checks write
""")

# A word of a path or package. `rooted`: the first directory, the one below tests/ or spec/, or joined with "test"
# (tests/integration, integration-tests). `bare`: any other directory, where it may be a word of the product.
# `affix`: beside "test" inside a longer name (OrderIntegrationTest, Api.IntegrationTests, test_e2e_login).
PLACES = _places("""
integration     integration  4.2  0.9  4.0
integ           integration  4.0  1.0  3.5
integrations    integration  1.6  0.0  0.6  # more often the integrations of a product
it              integration  3.0  2.0  0.0  # Maven: package or source set; the affix IT is read by its capitals
its             integration  3.0  2.4  0.0
itest           integration  4.0  3.0  3.5
itcase          integration  4.0  3.0  3.5
functional      integration  2.6  1.2  2.2  # a whole part over its interface; of compilers and linters, golden files
func            integration  2.0  0.3  1.5
feature         integration  2.2  0.1  0.4  # Laravel tests/Feature
requests        integration  2.4  0.2  0.3  # Rails spec/requests
request         integration  1.4  0.1  0.3
controllers     integration  1.6  0.9  0.8  # Rails, Phoenix, Symfony
controller      integration  1.2  0.9  1.1
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
server          integration  0.9  0.7  0.3
routes          integration  0.9  0.8  0.4
backend         integration  0.6  0.4  0.2
api             integration  1.2  0.4  0.8
apis            integration  0.8  0.2  0.5
http            integration  0.3  0.1  0.1
db              integration  1.0  0.5  0.6
database        integration  1.0  0.5  0.6
persistence     integration  1.0  0.7  0.7
repository      integration  0.7  0.5  0.6
repositories    integration  0.7  0.5  0.6
protection      integration  0.5  0.3  0.3
smoke           integration  1.4  0.6  1.2
regression      integration  0.4  0.1  0.1
scenarios       integration  1.0  0.6  0.6
testcontainers  integration  1.6  1.4  1.4
examples        integration  0.6  0.2  0.0
samples         integration  0.4  0.2  0.0
e2e             e2e          4.6  3.8  4.2
endtoend        e2e          4.6  3.8  4.2
acceptance      e2e          2.6  1.4  2.0
acceptancetest  e2e          2.6  1.4  2.0
atest           e2e          4.0  3.0  3.0  # Robot Framework's name for acceptance tests
uat             e2e          3.5  2.0  3.0
system          e2e          2.4 -0.1  1.8  # Rails test/system; else a word of many products
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
unit            unit         4.2  2.4  3.8
units           unit         3.6  0.2  1.2  # ansible's test/units; else units of measure
unittest        unit         4.0  3.0  3.0
unittests       unit         4.0  3.0  3.0
unitary         unit         4.0  3.0  3.0
utest           unit         4.0  3.0  3.0
utests          unit         4.0  3.0  3.0
models          unit         1.2  0.2  0.2  # Rails spec/models, by the convention of rspec-rails
helpers         unit         1.2  0.9  0.8
utils           unit         1.2  0.9  1.0
util            unit         1.2  0.9  1.0
lib             unit         0.7  0.4  0.3
pkg             unit         0.9  0.9  0.0  # Go: packages beside their tests
internal        unit         0.4  0.4  0.0
packages        unit         0.5  0.4  0.0
shared          unit         0.6  0.5  0.2
common          unit         0.6  0.5  0.3
core            unit         0.5  0.3  0.2
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
performance     load         3.8  0.4  4.2
benchmark       load         3.4  2.0  3.4
benchmarks      load         4.6  3.6  3.4
bench           load         4.4  2.6  3.0
benches         load         4.6  3.6  3.0
k6              load         3.0  0.0  2.0
gatling         load         5.0  4.2  4.0
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
arch            static       3.0  0.8  3.0
architecture    static       3.6  2.0  3.4
""")

# Two directories together: the words of the first make the second plain.
PAIRS = _votes("""
cypress/component      unit 7
cypress/integration    e2e 5        # Cypress before version 10
src/androidtest        e2e 4.5      # src/androidTest: on a device
src/test               unit 0.3
targets/tasks          integration 2
spec/models            unit 0.8
spec/requests          integration 1.5
spec/controllers       integration 1.5
spec/features          e2e 2.5
spec/system            e2e 2.5
spec/lib               unit 1
spec/helpers           unit 1
spec/views             unit 0.6
test/models            integration 0.4 unit 0.8  # Rails: models with their database
test/controllers       integration 1.8
test/functional        integration 1.2
test/system            e2e 2.0
test/helpers           unit 1
tests/feature          integration 1.4
tests/browser          e2e 2.4
tests/kernel           integration 1.5
src/kernel             integration 2
src/functional         e2e 1.5 integration 2      # Drupal: a whole site
src/functionaljavascript e2e 6
integration/targets    integration 2
hurl/tests             integration 1
""")

# Endings of files and classes that a tool gives a meaning.
ENDINGS = _votes("""
.cy.            e2e 5
.e2e-spec.      e2e 4.5
.e2e.           e2e 4.5
.e2e-test.      e2e 4.5
.int-spec.      integration 4
.int.           integration 3
.integration.   integration 4
.integ.         integration 4
.it.            integration 2.5
.unit.          unit 4
.contract.      integration 3
.bench.         load 4
.perf.          load 4
.stories.       unit 1
.feature        e2e 1.4 integration 0.6
.phpt           integration 0.3
.bats           integration 0.5
*IT             integration 4.5    # Maven failsafe: *IT, IT*, *ITCase
*ITest          integration 4.0
*L0             unit 3.5           # Microsoft's levels: L0 in memory, L1 with parts, L2 and up deployed
*L1             integration 3.0
*L2             e2e 2.0
*L3             e2e 3.0
""")

# Markers, tags and categories that the report carries; also the values of properties such as category=integration.
MARKERS = _votes("""
unit            unit 5
unittest        unit 5
small           unit 2.5      # Bazel and Google's sizes
fast            unit 0.8
integration     integration 5
integrationtest integration 5
integ           integration 5
int             integration 2
medium          integration 2.5
functional      integration 2.6
component       integration 1
contract        integration 4
pact            integration 4
api             integration 1.6
db              integration 3
database        integration 3
django_db       integration 2.6  # pytest-django: the test may reach the database
postgres        integration 3
mysql           integration 3
redis           integration 2.5
docker          integration 2.5
testcontainers  integration 4
network         integration 2
network_required integration 2
requires_db     integration 3
vcr             integration 1
smoke           integration 1.2
e2e             e2e 5
endtoend        e2e 5
end2end         e2e 5
acceptance      e2e 3
system          e2e 3
large           e2e 2.5
ui              e2e 3
javascript      e2e 2.5      # Behat, Capybara: needs a browser
selenium        e2e 4.5
playwright      e2e 4
browser         e2e 3
live            e2e 1
cdp             e2e 2
load            load 5
loadtest        load 6
performance     load 4
perf            load 4
stress          load 4
benchmark       load 4
lint            static 5
static          static 5
flake8          static 6
mypy            static 5
ruff            static 6
pylint          static 6
black           static 6
isort           static 6
level:l0        unit 2.5
level:l1        integration 2.5
level:l2        e2e 2
""")

# Keys of properties whose value names a layer, with or without a prefix (xunit's trait, allure's label).
LAYER_KEYS = frozenset(
    "category layer level type testtype test_type test-type test.type kind suite_type testlevel test_level "
    "trait label tag tags group groups testcategory".split()
)

# What the class or file is about: the words that lean most. Weak on purpose: a parser can be tested through a
# server, and a controller with everything mocked.
SUBJECTS = _votes("""
controller      integration 0.9
controllers     integration 0.9
repository      integration 0.9
repositories    integration 0.9
dao             integration 1.3
api             integration 0.7
apis            integration 0.7
endpoint        integration 0.9
endpoints       integration 0.9
rest            integration 0.6
graphql         integration 0.6
view            integration 0.4
views           integration 1.2
viewset         integration 1.4
admin           integration 0.6
server          integration 0.6
database        integration 1.0
db              integration 0.8
sql             integration 0.5
postgres        integration 1.2
postgresql      integration 1.2
mysql           integration 0.9
sqlite          integration 0.7
mongo           integration 0.9
mongodb         integration 0.9
redis           integration 0.9
kafka           integration 1.0
rabbitmq        integration 1.0
elasticsearch   integration 1.0
s3              integration 0.6
docker          integration 0.7
container       integration 0.6
kubernetes      integration 0.5
migration       integration 0.5
migrations      integration 0.5
webhook         integration 0.4
webhooks        integration 0.4
websocket       integration 0.6
socket          integration 0.5
permissions     integration 0.6
auth            integration 0.4
authentication  integration 0.5
login           integration 0.4 e2e 0.4
account         integration 0.4
users           integration 0.4
upload          integration 0.5
commands        integration 0.3
cli             integration 0.5
application     integration 0.6
app             integration 0.3
startup         integration 0.6
bootstrap       integration 0.4
subprocess      integration 0.9
tasks           integration 0.5
worker          integration 0.4
transaction     integration 0.6
cluster         integration 0.5
concurrent      integration 0.5
publish         integration 0.4
interop         integration 0.8
pact            integration 2.0
consumer        integration 0.5
util            unit 1.3
utils           unit 1.2
helper          unit 1.1
helpers         unit 1.2
parser          unit 0.9
parse           unit 0.9
lexer           unit 1.2
tokenizer       unit 1.1
ast             unit 0.8
formatter       unit 0.8
format          unit 0.8
validator       unit 1.1
validators      unit 1.1
validation      unit 0.4
converter       unit 1.1
converters      unit 1.1
mapper          unit 0.9
transformer     unit 0.9
builder         unit 0.9
factory         unit 0.5
encoder         unit 0.9
decoder         unit 0.9
encoding        unit 0.8
codec           unit 0.9
crypto          unit 0.5
hash            unit 0.8
string          unit 0.9
strings         unit 0.9
number          unit 0.7
numbers         unit 0.7
math            unit 1.0
vector          unit 0.9
matrix          unit 0.9
array           unit 0.8
collection      unit 0.4
collections     unit 0.4
enum            unit 0.8
date            unit 0.5
time            unit 0.4
datetime        unit 0.5
duration        unit 0.5
color           unit 0.7
version         unit 0.4
exception       unit 0.6
exceptions      unit 0.6
type            unit 0.5
types           unit 0.5
model           unit 0.3
entity          unit 0.4
dto             unit 0.9
component       unit 0.6
hook            unit 0.6
hooks           unit 0.6
reducer         unit 1.3
reducers        unit 1.3
slice           unit 0.8
selector        unit 0.6
selectors       unit 0.8
store           unit 0.5
provider        unit 0.3
strategy        unit 0.7
resolver        unit 0.4
handler         unit 0.3
adapter         unit 0.3
rule            unit 0.3
check           unit 0.3
templatetags    unit 0.9
mock            unit 0.4
stub            unit 0.6
fake            unit 0.3
config          unit 0.3
path            unit 0.4
url             unit 0.4
tag             unit 0.2
diff            unit 0.7
markdown        unit 0.5
viewmodel       unit 1.2
presenter       unit 1.0
widget          unit 0.4
page            e2e 0.5
navigation      e2e 0.4
onboarding      e2e 0.5
screenshot      e2e 0.5
lint            static 0.6
codestyle       static 2.5
structure       static 0.5
archunit        static 3
architecture    static 2.6
benchmark       load 1.6
benchmarks      load 1.8
bench           load 1.6
simulation      load 0.6
""")

# Words of the test's own name and of titles. Most names tell nothing; these are read only as whole words.
NAMES = _votes("""
e2e             e2e 3.6
(e2e)           e2e 4.2
[e2e]           e2e 4.2
end-to-end      e2e 3.0     # but not end-to-end encryption, which is a feature
cypress         e2e 1.5
playwright      e2e 1.0
selenium        e2e 1.2
integration     integration 0.6
renders         unit 0.5
render          unit 0.4
throws          unit 0.5
throw           unit 0.4
parses          unit 0.6
parse           unit 0.5
returns         unit 0.2
null            unit 0.3
mock            unit 0.4
reducer         unit 0.9
click           e2e 0.5
clicks          e2e 0.5
clicking        e2e 0.4
button          e2e 0.3
page            e2e 0.4
homepage        e2e 0.6
login           e2e 0.4
navigate        e2e 0.6
navigates       e2e 0.6
database        integration 0.5
endpoint        integration 0.5
get             integration 0.05
post            integration 0.3
request         integration 0.2
api             integration 0.2
unauthorized    integration 0.5
forbidden       integration 0.4
redirect        integration 0.4
redirects       integration 0.5
flake8          static 5
mypy            static 5
ruff            static 5
pylint          static 5
black           static 3
eslint          static 4
mypy-status     static 6
lint            static 2
codestyle       static 3
""")

# Suites and classes that only one producer writes, for reports that do not name it otherwise.
SIGNS: dict[str, str] = {
    "pytest": "pytest",
    "ruff": "ruff",
    "mypy": "mypy",
    "flake8": "flake8",
    "pylint": "pylint",
    "phpstan": "phpstan",
    "psalm": "psalm",
    "rubocop": "rubocop",
    "checkstyle": "checkstyle",
    "eslint": "eslint",
    "stylelint": "stylelint",
    "hadolint": "hadolint",
    "yamllint": "yamllint",
    "shellcheck": "shellcheck",
    "tflint": "tflint",
    "checkov": "checkov",
    "rspec": "rspec",
    "Formatting Test": "swiftlint",
    "CloudFormation Lint": "cfn-lint",
    "ansible-test": "ansible-test",
    "sanity": "ansible-test",
    "verify": "verify",
    "k6 thresholds": "k6",
    "sample_labels": "taurus",
    "bzt": "taurus",
    "ClusterLoaderV2": "clusterloader2",
    "schemathesis": "schemathesis",
    "step graph": "ci-operator",
    "cluster install": "ci-operator",
    "e2e.go": "kubetest",
    "subunit2junitxml": "subunit",
    "TestCafe Tests": "testcafe",
    "Cucumber": "cucumber",
    "Minitest::Result": "minitest",
    "molecule_test_suite": "pytest",
    "end-to-end": "end-to-end",
}

# Words that say nothing: a name of such words alone is a placeholder, and so is a class.
HOLLOW = frozenset(
    "foo bar baz qux quux example examples sample demo dummy minimal tutorial some name names my acme hello world "
    "class classname testname custom fails fail failing failed failure passes pass passing passed error errors "
    "skip skipped skipping always never success one two three four five six seven eight nine ten first second third "
    "test tests testing testcase case cases suite testsuite spec simple basic flaky package lib cukes parameterized "
    "param in out now a an the with and will report as is of no yes ok a b c d x y z method methods "
    "lib ms build home runner work somepath scratch toy record xml attribute someclass root unnamed untitled title".split()
)

# Ways to lay tests out, and forms of names, that say something without a word for a layer.
SHAPES = _votes("""
cargo_tests       integration 1.6           # Cargo's own word for tests/; many only call the public functions
cargo_src         unit 2.6
app.tests_unittest integration 1.4          # Django's layout and its XML runner: most tests reach the database
app.tests_pytest  integration 0.3
finding           static 6                  # file.go:12:3 as a class or a name: a linter's finding
checked_file      static 5                  # the suite and the name are one path: eslint, phpcs
task              integration 3             # tasks/main.yml:12: Ansible changes a host
method_and_path   integration 2.5           # GET /users/{id}: an API described and called
flutter_integration_test e2e 6.5
build_failed      unknown 6
numbered_name     unknown 1.6               # Test1, testCase 4
hollow_place      unknown 0.9               # no proof: node:test writes "test" for every class
hollow_name       unknown 4.5
""")
SHAPES = {key.replace("_", " "): votes for key, votes in SHAPES.items()}
