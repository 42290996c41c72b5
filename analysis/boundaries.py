"""Which seam a failure broke at, and whether the machine rather than the code failed: ordered, visible rules.

Every answer carries the text that matched and the name of the rule, so that a reader can disagree with it.
Knows text alone; what to do about a flaky test is for causes.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from projects.vocabulary import Boundary

TEXT_HEAD, TEXT_TAIL = 6_000, 2_000  # what is read of a longer text: reporters put the error at either end
MATCH_LENGTH = 120  # long enough to recognise the place, short enough for a table cell


class BoundaryMatch(NamedTuple):
    """A boundary, the text that gave it away, and the rule in words."""

    boundary: Boundary
    matched: str
    rule: str


class Part(Enum):
    """Where a rule looks, surest first."""

    KIND = "the exception type"
    MESSAGE = "the message"
    TRACE = "the stack trace"


class Rule(NamedTuple):
    """One line of the table: a pattern, what it means, and where it may be looked for."""

    boundary: Boundary
    name: str
    pattern: re.Pattern[str]
    parts: tuple[Part, ...]


SAID = (Part.KIND, Part.MESSAGE)
ANYWHERE = (Part.KIND, Part.MESSAGE, Part.TRACE)


def _rule(boundary: Boundary, name: str, pattern: str, parts: tuple[Part, ...] = ANYWHERE) -> Rule:
    return Rule(boundary, name, re.compile(pattern), parts)


# The order is the meaning: a browser that waits for a page is a browser failure though it says "timeout", and
# a driver that cannot reach its database is a database failure though it says "connection refused".
RULES: tuple[Rule, ...] = (
    _rule(
        Boundary.BROWSER,
        "a browser driver's error",
        r"WebDriverException|NoSuchElement(?:Exception|Error)|StaleElementReference\w*"
        r"|ElementClickIntercepted\w*"
        r"|ElementNot(?:Interactable|Visible)\w*|SessionNotCreated\w*|playwright\._impl\S*|TargetClosedError"
        r"|\b(?:[pP]age|[fF]rame|[lL]ocator|[bB]rowserContext|[eE]lementHandle)\.(?:goto|click|dblclick|fill|type|press"
        r"|hover|reload|wait_?[fF]or\w*|screenshot|check|select_?[oO]ption|set_?[cC]ontent)(?=:)"
        r"|CypressError|net::ERR_\w+|(?i:chrome not reachable|chromedriver|geckodriver|invalid session id)",
    ),
    _rule(
        Boundary.BROWSER,
        "an element or locator that was not there",
        r"(?i)waiting for (?:selector|locator|element)\b[^\n]*|(?:unable|failed) to (?:find"
        r"|locate)[^\n]{0,30}\belement\b"
        r"|\b(?:page\.)?locator\([^\n)]*\)|getBy(?:Role|Text|TestId|Label)\([^\n)]*\)"
        r"|\belement (?:is )?not (?:found|visible|attached|clickable|interactable)"
        r"|element is not (?:attached|stable)|expected to find element[^\n]*|strict mode violation"
        r"|no such element",
        SAID,
    ),
    _rule(
        Boundary.QUEUE,
        "a message queue's client",
        r"\b(?:amqp|pika|kombu|aio_pika|confluent_kafka|aiokafka|celery|rq|dramatiq|bullmq|sidekiq|nats"
        r"|stomp)"
        r"\.[\w.]*(?:[eE]xceptions?|Error|errors)\b\S*|\b(?:Amqp|AMQP|Kafka|RabbitMQ|Rabbit|JMS|Jms|Sqs"
        r"|SQS|Pulsar)"
        r"\w*(?:Exception|Error)\b|org\.apache\.kafka\S*|\bNoBrokersAvailable\b"
        r"|OperationalError\(?.{0,40}amqp",
    ),
    _rule(
        Boundary.QUEUE,
        "a queue, broker or topic in the message",
        r"(?i)\b(?:rabbitmq|kafka|amqp|celery|sidekiq|activemq)\b|:(?:5672|9092)\b"
        r"|\b(?:message )?broker (?:is )?(?:not available|unavailable|down|unreachable)"
        r"|\b(?:queue|topic|exchange) ['\"\w.-]+ (?:not found|does not exist|is full)"
        r"|consumer (?:group )?rebalanc\w+",
        SAID,
    ),
    _rule(
        Boundary.DATABASE,
        "a database driver or mapper in the exception type or trace",
        r"\b(?:psycopg2?|asyncpg|sqlite3|pymysql|MySQLdb|cx_Oracle|oracledb|pyodbc|sqlalchemy|django\.db"
        r"|peewee"
        r"|pymongo|tortoise|motor)\.[\w.]*(?:\w*Error|\w*Exception|\w*Timeout|errors)\b[.\w]*"
        r"|\b(?:java\.sql|org\.postgresql|com\.mysql|org\.hibernate|javax\.persistence|jakarta\.persistence"
        r"|com\.mongodb|oracle\.jdbc|org\.h2)\.[\w.]*(?:Exception|Error)\b|\bORA-\d{5}\b|SQLSTATE\W{0,2}\w+"
        r"|\b(?:Sequelize|Prisma|QueryFailed|Mongo|Mongoose|TypeORM|Knex|Postgres)\w*Error\b"
        r"|ActiveRecord::\w+"
        r"|\bPDOException\b|\bpq: [^\n]+|SqlException|DbUpdateException|Npgsql\w*Exception|gorm\.\w+",
    ),
    _rule(
        Boundary.DATABASE,
        "a database's own words",
        r"\b(?:IntegrityError|OperationalError|ProgrammingError|InterfaceError|DataError|DatabaseError"
        r"|SQLException"
        r"|SQLITE_\w+|JDBC\w*Exception)\b|(?i:\bdeadlock(?: detected| found)?\b"
        r"|duplicate key value[^\n]{0,60}"
        r"|(?:unique|foreign key|check|not.null) constraint\b[^\n]{0,60}|could not serialize access"
        r"|\brelation \S+ does not exist|no such table\S*|\btable \S+ (?:doesn't|does not) exist"
        r"|database (?:is locked|\S+ does not exist|connection)|lock wait timeout|too many (?:clients"
        r"|connections)"
        r"|syntax error at or near[^\n]{0,40}|\b(?:postgres\w*|mysql|mariadb|mongo\w*|redis)\b[^\n]{0,40}"
        r"(?:refused|closed|unavailable|timed? ?out)|:(?:5432|3306|27017|1433|1521|6379)\b)",
        SAID,
    ),
    _rule(
        Boundary.DATABASE,
        "a key-value store's client",
        r"\b(?:redis|aioredis|valkey|pymemcache|jedis|lettuce)\.[\w.]*(?:exceptions?\.\w+|\w*Error"
        r"|\w*Exception)\b"
        r"|\b(?:Redis|Jedis|Lettuce|Valkey)\w*(?:Exception|Error)\b|\b(?:WRONGTYPE|READONLY You can't"
        r"|MISCONF|NOAUTH)\b",
    ),
    _rule(
        Boundary.AUTHENTICATION,
        "credentials, a token or a right that was refused",
        r"(?i)\b(?:401|403)\b(?=[^\n]{0,20}\b(?:unauthori[sz]ed|forbidden|client error))"
        r"|\b(?:status(?:[ _]?code)?|HTTP(?:/\d(?:\.\d)?)?|response(?: code)?|got|received|was|returned|=="
        r"|!=)\W{1,4}"
        r"(?:401|403)\b|\bassert (?:401|403) [!=]=|\b(?:401|403) (?:!==|===|!=|==|to equal|is not)\b"
        r"|<\[?(?:401|403)\]?>"
        r"|\bexpected:? \S{0,2}(?:401|403)\b|\bunauthori[sz]ed\b|\bunauthenticated\b"
        r"|\b(?:access |refresh |id |auth )?token (?:has |is |was )?(?:expired|invalid|revoked|missing)"
        r"|(?:invalid|expired|missing|bad|wrong) (?:\w+ )?(?:credentials?|password|api key|token|signature"
        r"|jwt|csrf)"
        r"|TokenExpired\w*|JsonWebToken\w*|ExpiredSignature\w*|InvalidToken\w*|\bauthentication (?:failed"
        r"|required)"
        r"|(?:password )?authentication failed|not authori[sz]ed|login (?:failed|required)|CSRF (?:token"
        r"|verification)"
        r"[^\n]{0,30}|(?:Authentication|Authorization|AccessDenied|BadCredentials|NotAuthenticated)\w*"
        r"(?:Exception|Error|Failed)|AccessDenied\b|PermissionDenied\b|\baccess denied\b"
        r"|insufficient (?:scope|privilege)\w*",
        SAID,
    ),
    _rule(
        Boundary.EXTERNAL_SERVICE,
        "a stand-in for a service, or its contract",
        r"(?i)\b(?:wiremock|nock|vcr(?:py)?|cassette|pact|mockserver|mountebank|hoverfly|betamax|webmock"
        r"|msw|respx"
        r"|responses\.\w*Error|requests_mock)\b[^\n]{0,60}|CannotOverwriteExistingRequest\w*|NoMockAddress",
        SAID,
    ),
    _rule(
        Boundary.SERIALIZATION,
        "a document that could not be read or written",
        r"\b(?:JSONDecodeError|JsonDecodeError|JsonParse\w*|JsonMapping\w*|JsonProcessing\w*|JsonSyntax\w*"
        r"|JsonException"
        r"|UnrecognizedPropertyException|InvalidDefinitionException|MismatchedInputException|XMLSyntaxError"
        r"|XmlException|SAXParse\w*|ParserError|YAML\w*Error|ScannerError|PicklingError|UnpicklingError"
        r"|DecodeError"
        r"|SerializationException|DeserializationException|NotSerializable\w*|InvalidProtocolBuffer\w*"
        r"|Unicode\w+Error"
        r"|DataCloneError|MarshalError|UnmarshalTypeError)\b"
        r"|(?i:unexpected (?:token|end of (?:json|input|file|stream))[^\n]{0,40}|not valid json"
        r"|invalid json|malformed json"
        r"|json: cannot unmarshal|(?:cannot|could not|can't|failed to|not) (?:be )?(?:de)?seriali[sz]\w+"
        r"|cannot construct instance|is not json seriali[sz]able|circular structure to json"
        r"|expecting value: line"
        r"|not well-formed|codec can't (?:de|en)code|invalid utf-?8)",
        SAID,
    ),
    _rule(
        Boundary.VALIDATION,
        "a value that the rules refuse",
        r"\b(?:\w*Validation(?:Error|Exception|Failed)|ConstraintViolation\w*|MethodArgumentNotValid\w*"
        r"|ZodError"
        r"|SchemaError|BindException|IllegalArgumentException|InvalidArgument\w*|RecordInvalid"
        r"|pydantic\S*Error)\b"
        r"|(?i:\bvalidation (?:failed|errors?)|is not a valid (?:\w+)|this field (?:is required|may not be)"
        r"|field required|value is not a valid|does not match (?:the )?schema|schema validation"
        r"|\b(?:status(?:[ _]?code)?|HTTP|got|returned|was)\W{1,4}(?:400|422)\b|\b(?:400 bad request"
        r"|422 unprocessable)"
        r"|must (?:be (?:one of|greater|less|between|positive|at (?:least|most))|not be (?:null|blank"
        r"|empty)))",
        SAID,
    ),
    _rule(
        Boundary.EXTERNAL_SERVICE,
        "a service that answered badly",
        r"(?i)\b(?:502|503|504|429)\b(?=[^\n]{0,25}(?:gateway|service|unavailable|too many|timeout"
        r"|server error))"
        r"|\b(?:status(?:[ _]?code)?|HTTP(?:/\d(?:\.\d)?)?|got|received|returned)\W{1,4}(?:502|503|504|429)\b"
        r"|(?:bad gateway|service unavailable|gateway time-?out|too many requests|rate limit(?:ed"
        r"| exceeded)?)"
        r"|botocore\.exceptions\.\w+|google\.api_core\.exceptions\.\w+|stripe\.error\.\w+|StripeError"
        r"|AmazonS3Exception"
        r"|HttpServerErrorException\S*|FeignException\S*|upstream (?:connect|request) \w+",
        SAID,
    ),
    _rule(
        Boundary.NETWORK,
        "a connection, a name or a certificate",
        r"\bE(?:CONN(?:REFUSED|RESET|ABORTED)|TIMEDOUT|AI_AGAIN|ADDRINUSE|ADDRNOTAVAIL|HOSTUNREACH"
        r"|NETUNREACH|NOTCONN"
        r"|PIPE)\b[^\n]{0,60}|\bENOTFOUND\b[^\n]{0,60}|\b(?:Connection(?:Refused|Reset|Aborted|Error)\w*"
        r"|BrokenPipeError"
        r"|ConnectException|UnknownHostException|NoRouteToHost\w*|SocketException|SocketTimeout\w*"
        r"|SSL\w*(?:Error|Exception)"
        r"|ConnectTimeout\w*|ReadTimeout\w*|RemoteProtocolError|MaxRetryError|NewConnectionError|gaierror"
        r"|ConnectError)\b"
        r"|(?i:connection (?:was )?(?:refused|reset|closed|aborted|timed out|lost)[^\n]{0,40}"
        r"|socket hang up|broken pipe"
        r"|(?:temporary failure in )?name resolution|could not resolve host\S*|no route to host"
        r"|network is unreachable"
        r"|address already in use|certificate (?:verify failed|has expired|is not trusted)"
        r"|tls handshake\w*|fetch failed"
        r"|dial tcp [^\n]{0,60}|i/o timeout|server disconnected|getaddrinfo \w+)",
        SAID,
    ),
    _rule(
        Boundary.FILE_SYSTEM,
        "a file, a directory or a disk",
        r"\bE(?:NOENT|ACCES|EXIST|ISDIR|NOTDIR|NOTEMPTY|NOSPC|MFILE|NFILE|BUSY|ROFS|PERM|XDEV)\b[^\n]{0,60}"
        r"|\b(?:FileNotFound\w*|FileExistsError|NoSuchFileException|IsADirectoryError|NotADirectoryError"
        r"|DirectoryNotEmptyException|AccessDeniedException|UnauthorizedAccessException"
        r"|DirectoryNotFound\w*|PermissionError)\b"
        r"|(?i:no such file or directory[^\n]{0,60}|no space left on device|permission denied[^\n]{0,60}"
        r"|too many open files|read-only file system|disk quota exceeded|cannot find the (?:file"
        r"|path)[^\n]{0,30}"
        r"|can't clean tmpdir|directory not empty|(?:is )?being used by another process)",
        SAID,
    ),
)

ASSERTION = re.compile(
    r"(?i)^(?:[\w.]*\.)?(?:assert\w*|ComparisonFailure|AssertionFailed\w*|MultipleFailures\w*"
    r"|JestAssertionError)\b"
)

INFRASTRUCTURE = re.compile(
    r"\bE(?:CONN(?:RESET|REFUSED|ABORTED)|TIMEDOUT|AI_AGAIN|NOTFOUND|NOSPC|MFILE|NOMEM|AGAIN)\b|no space left"
    r"|connection (?:refused|reset|timed out)|temporary failure in name resolution"
    r"|could not (?:resolve host|read from remote)|tls handshake timeout"
    r"|\b50[234] (?:bad gateway|service|gateway)|\b429 too many|build timed out|agent (?:was|is"
    r"|went) (?:removed|offline)"
    r"|backing channel|\bout of memory|OutOfMemory\w*|cannot allocate memory|compiler is out of heap space"
    r"|heap out of memory|\bSIGKILL\b|\boom.?kill\w*|GitException|fetch failed|i/o timeout|socket hang up"
    r"|unable to access|error fetching|failed to trigger|index\.lock|no workspace for|too many open files"
    r"|failed to exec spawn helper|no rebase in progress|remote end hung up|could not read username"
    r"|RPC failed|early EOF|unexpected disconnect|connection was (?:broken|aborted)|channel is already closed"
    r"|ChannelClosed\w*|RemoteChannel|Caused: java\.io\.IOException|no such device|device or resource busy"
    r"|java\.nio\.file\.FileSystemException|FATAL: command execution failed|Failed to run top command"
    r"|the runner has received a shutdown signal|lost communication with the server"
    r"|no test report files were found",
    re.I,
)


def boundary(*, kind: str, message: str, text: str) -> BoundaryMatch:
    """Return the seam that the first fitting rule finds; NONE_FOUND is a normal answer."""
    trace = _bounded(text)
    for part, said in _parts(kind=kind, message=message, trace=trace):
        for rule in RULES:
            match = rule.pattern.search(said) if part in rule.parts else None
            if match:
                return BoundaryMatch(rule.boundary, _excerpt(match[0]), f"{rule.name}, in {part.value}")
    return BoundaryMatch(Boundary.NONE_FOUND, "", "no rule matched")


def is_infrastructure(*, kind: str, message: str, text: str) -> str | None:
    """Return the words that speak of a failing machine, network or CI rather than of the code: a hint."""
    match = INFRASTRUCTURE.search(f"{kind}\n{message}\n{_bounded(text)}")
    return _excerpt(match[0]) if match else None


def _parts(*, kind: str, message: str, trace: str) -> Iterator[tuple[Part, str]]:
    yield Part.KIND, kind
    yield Part.MESSAGE, message or _first_lines(trace)
    # What an assertion compares is in its message; its stack only shows where the test stands.
    if not ASSERTION.match(kind or message):
        yield Part.TRACE, trace


def _first_lines(trace: str) -> str:
    """The beginning of a trace, for reporters that send no message."""
    return "\n".join(trace.split("\n", 6)[:6])


def _bounded(text: str) -> str:
    if len(text) <= TEXT_HEAD + TEXT_TAIL:
        return text
    return f"{text[:TEXT_HEAD]}\n{text[-TEXT_TAIL:]}"


def _excerpt(matched: str) -> str:
    return " ".join(matched.split())[:MATCH_LENGTH]
