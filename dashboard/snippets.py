"""How each test runner writes JUnit XML, and how each CI sends it: text to copy.

Pure. The address of this server comes in; the token never does: CI keeps it as the secret TROPHYCASE_TOKEN. What the
uploader finds out by itself (branch, commit, run, attempt, shard) is not spelt out here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SECRET = "TROPHYCASE_TOKEN"  # noqa: S105 - the name under which CI keeps the token
REPORT = "report.xml"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to copy for one tool, with where it goes, and a note where something often goes wrong."""

    key: str
    name: str
    where: str
    text: str
    note: str = ""
    files: str = REPORT  # where a test runner leaves its reports


@dataclass(frozen=True, slots=True)
class Every:
    """The snippets of all tools, for a page that shows a token and so must not be left to choose one."""

    producers: tuple[Snippet, ...]
    senders: tuple[Snippet, ...]
    clients: tuple[Snippet, ...]


PRODUCERS = (
    Snippet("pytest", "pytest", "command", "pytest --junit-xml=report.xml"),
    Snippet(
        "jest",
        "Jest",
        "command",
        "npm install --save-dev jest-junit\n"
        "JEST_JUNIT_OUTPUT_FILE=report.xml JEST_JUNIT_ADD_FILE_ATTRIBUTE=true \\\n"
        "  npx jest --reporters=default --reporters=jest-junit",
        "The file attribute lets paths such as tests/unit decide the layer.",
    ),
    Snippet(
        "vitest",
        "Vitest",
        "command",
        "npx vitest run --reporter=default --reporter=junit --outputFile.junit=report.xml",
    ),
    Snippet(
        "playwright",
        "Playwright",
        "command",
        "PLAYWRIGHT_JUNIT_OUTPUT_NAME=report.xml npx playwright test --reporter=list,junit",
    ),
    Snippet(
        "cypress",
        "Cypress",
        "command",
        "npx cypress run --reporter junit \\\n"
        '  --reporter-options "mochaFile=report-[hash].xml,testCaseSwitchClassnameAndName=false"',
        "Each spec writes its own file.",
        files="report-*.xml",
    ),
    Snippet(
        "go",
        "Go",
        "command",
        "go install gotest.tools/gotestsum@latest\ngotestsum --junitfile report.xml -- -race ./...",
        "With -race every test takes longer; send such runs with --environment race.",
    ),
    Snippet(
        "cargo-nextest",
        "cargo-nextest",
        ".config/nextest.toml",
        '[profile.ci.junit]\npath = "report.xml"\n\n# then: cargo nextest run --profile ci',
        files="target/nextest/ci/report.xml",
    ),
    Snippet(
        "gradle",
        "Gradle",
        "build.gradle.kts",
        "tasks.test {\n  reports.junitXml.required.set(true)\n  reports.junitXml.mergeReruns.set(true)\n}",
        files="**/build/test-results/**/*.xml",
    ),
    Snippet(
        "maven",
        "Maven",
        "command",
        "mvn verify -Dsurefire.rerunFailingTestsCount=1 -Dfailsafe.rerunFailingTestsCount=1",
        "A rerun shows a flaky test on the first day. What failsafe runs (*IT) is integration.",
        files="**/target/{surefire,failsafe}-reports/TEST-*.xml",
    ),
    Snippet("phpunit", "PHPUnit", "command", "vendor/bin/phpunit --log-junit report.xml"),
    Snippet(
        "rspec",
        "RSpec",
        "command",
        "bundle add rspec_junit_formatter --group test\n"
        "bundle exec rspec --format progress --format RspecJunitFormatter --out report.xml",
    ),
    Snippet(
        "dotnet",
        ".NET",
        "command",
        "dotnet add package JunitXml.TestLogger\n"
        'dotnet test --logger "junit;LogFilePath=report.xml;MethodFormat=Class"',
        files="**/report.xml",
    ),
    Snippet(
        "other",
        "Others",
        "any tool",
        "Whatever writes JUnit XML will do: CTest (--output-junit), Bazel (bazel-testlogs/**/test.xml),\n"
        "Robot Framework (--xunit), Karma, Mocha (mocha-junit-reporter), Bats (--report-formatter junit),\n"
        "Swift (--xunit-output), flutter (tojunit), k6, ESLint (-f junit), and most others.",
        "A report without times or files is taken too; it only says less.",
    ),
)

# {send} is the uploader's line; where a job has no Python, curl alone sends, and has to be told everything.
SENDERS = (
    Snippet(
        "shell",
        "Any shell",
        "after the tests",
        "{send}",
        "Branch and commit come from git where no CI tells them.",
    ),
    Snippet(
        "github",
        "GitHub Actions",
        ".github/workflows/test.yml, after the tests",
        "- name: Send results to Trophycase\n"
        "  if: ${{ !cancelled() }}\n"
        "  env:\n"
        "    TROPHYCASE_TOKEN: ${{ secrets.TROPHYCASE_TOKEN }}\n"
        "    TROPHYCASE_MATRIX: ${{ toJSON(matrix) }}\n"
        "  run: {send}",
        "Keep the token as an Actions secret. Without !cancelled() only green runs would arrive. "
        "The matrix tells its legs apart.",
    ),
    Snippet(
        "gitlab",
        "GitLab CI",
        ".gitlab-ci.yml, in the job of the tests",
        "after_script:\n  - {send}",
        "Keep the token under Settings, CI/CD, Variables, masked. after_script runs after failures too.",
    ),
    Snippet(
        "jenkins",
        "Jenkins",
        "Jenkinsfile",
        "post {\n"
        "  always {\n"
        "    withCredentials([string(credentialsId: 'trophycase', variable: 'TROPHYCASE_TOKEN')]) {\n"
        "      sh '''\n"
        "        {send}\n"
        "      '''\n"
        "    }\n"
        "  }\n"
        "}",
        "Keep the token as a secret text with the id trophycase.",
    ),
    Snippet(
        "circleci",
        "CircleCI",
        ".circleci/config.yml, after the tests",
        "- run:\n    name: Send results to Trophycase\n    when: always\n    command: {send}",
        "Keep the token in the project's environment variables or in a context.",
    ),
    Snippet(
        "buildkite",
        "Buildkite",
        ".buildkite/hooks/pre-exit",
        "#!/bin/bash\n{send}",
        "The hook runs after every command, whatever became of it.",
    ),
    Snippet(
        "azure",
        "Azure Pipelines",
        "azure-pipelines.yml, after the tests",
        "- bash: {send}\n"
        "  displayName: Send results to Trophycase\n"
        "  condition: succeededOrFailed()\n"
        "  env:\n"
        "    TROPHYCASE_TOKEN: $(TROPHYCASE_TOKEN)",
        "A secret variable reaches a script only where it is named under env.",
    ),
    Snippet(
        "bitbucket",
        "Bitbucket Pipelines",
        "bitbucket-pipelines.yml, in the step of the tests",
        "after-script:\n  - {send} --job test",
        "Bitbucket tells a script no name of its step, so --job gives it one.",
    ),
    Snippet(
        "teamcity",
        "TeamCity",
        "a build step of the kind Command Line",
        "{send}",
        "Let the step run even if some of the previous steps failed. Keep the token as the parameter "
        "env.TROPHYCASE_TOKEN, of the type password.",
    ),
    Snippet(
        "travis",
        "Travis CI",
        ".travis.yml",
        "after_script:\n  - {send}",
        "Keep the token in the repository's settings. after_script runs after failures too.",
    ),
    Snippet(
        "drone",
        "Drone",
        ".drone.yml, after the tests",
        "- name: send-results\n"
        "  image: python:3\n"
        "  environment:\n"
        "    TROPHYCASE_JOB: test\n"
        "    TROPHYCASE_TOKEN:\n"
        "      from_secret: trophycase_token\n"
        "  commands:\n"
        "    - {send}\n"
        "  when:\n"
        "    status: [success, failure]",
        "The step that sends is not the one that tested, so TROPHYCASE_JOB names that one.",
    ),
    Snippet(
        "woodpecker",
        "Woodpecker",
        ".woodpecker.yaml, after the tests",
        "- name: send-results\n"
        "  image: python:3\n"
        "  environment:\n"
        "    TROPHYCASE_JOB: test\n"
        "    TROPHYCASE_TOKEN:\n"
        "      from_secret: trophycase_token\n"
        "  commands:\n"
        "    - {send}\n"
        "  when:\n"
        "    - status: [success, failure]",
        "The step that sends is not the one that tested, so TROPHYCASE_JOB names that one.",
    ),
    Snippet(
        "curl",
        "curl alone",
        "any shell without Python",
        'curl -fsS --retry 3 -H "Authorization: Bearer $TROPHYCASE_TOKEN" \\\n'
        '  -F branch=main -F commit="$(git rev-parse HEAD)" \\\n'
        '  -F run="build-$BUILD_NUMBER" -F attempt=1 \\\n'
        "  -F file=@report.xml \\\n"
        "  {url}/api/v1/uploads",
        "Uploads with the same run become one run. Many files: one -F file=@… each, or an archive of them.",
    ),
)

# Uploaders of other services that pipelines run already: what to change so that they send here. {url} is this server.
CLIENTS = (
    Snippet(
        "buildkite-curl",
        "Buildkite: curl",
        "any shell",
        'curl -X POST --fail-with-body -H "Authorization: Token token=\\"$TROPHYCASE_TOKEN\\"" \\\n'
        '  -F data=@report.xml -F format=junit -F "run_env[CI]=generic" -F "run_env[key]=$RUN" \\\n'
        '  -F "run_env[branch]=$BRANCH" -F "run_env[commit_sha]=$SHA" \\\n'
        "  {url}/v1/uploads",
        'A tag that is named as a field of the upload API is that field: -F "tags[job]=backend".',
    ),
    Snippet(
        "buildkite-plugin",
        "Buildkite: plugin",
        ".buildkite/pipeline.yml",
        "plugins:\n"
        "  - test-collector#v1.11.0:\n"
        '      files: "report.xml"\n'
        '      format: "junit"\n'
        '      api-url: "{url}/v1/uploads"\n'
        '      api-token-env-name: "TROPHYCASE_TOKEN"',
    ),
    Snippet(
        "buildkite-pytest",
        "Buildkite: pytest",
        "the environment of the tests",
        "BUILDKITE_ANALYTICS_TOKEN=$TROPHYCASE_TOKEN\nBUILDKITE_ANALYTICS_API_URL={url}/v1",
        "The package is buildkite-test-collector.",
    ),
    Snippet(
        "buildkite-js",
        "Buildkite: Jest, Vitest and others",
        "the environment of the tests",
        "BUILDKITE_ANALYTICS_TOKEN=$TROPHYCASE_TOKEN\nBUILDKITE_ANALYTICS_BASE_URL={url}/v1/uploads",
        "Unlike pytest's, this collector wants the whole address.",
    ),
    Snippet(
        "codecov-cli",
        "Codecov: CLI",
        "after the tests",
        "CODECOV_TOKEN=$TROPHYCASE_TOKEN codecovcli --url {url} do-upload \\\n"
        "  --report-type test_results --disable-search -f report.xml",
        "--url stands before the command; no variable sets it. --env GITHUB_RUN_ATTEMPT --env GITHUB_JOB tell the attempt.",
    ),
    Snippet(
        "codecov-action",
        "Codecov: action",
        ".github/workflows/test.yml",
        "- uses: codecov/codecov-action@v5\n"
        "  if: ${{ !cancelled() }}\n"
        "  with:\n"
        "    report_type: test_results\n"
        "    files: report.xml\n"
        "    url: {url}\n"
        "    token: ${{ secrets.TROPHYCASE_TOKEN }}\n"
        "    env_vars: GITHUB_RUN_ATTEMPT,GITHUB_JOB",
    ),
    Snippet(
        "datadog",
        "Datadog CI",
        "the environment of the upload",
        "DD_SITE={host}\nDD_API_KEY=$TROPHYCASE_TOKEN\n\n# then, as before: datadog-ci junit upload --service shop report.xml",
        "It insists on https and on the names cireport-intake.{host} and api.{host}.",
    ),
    Snippet(
        "mergify",
        "Mergify CI",
        "the environment of the step",
        "MERGIFY_API_URL={url}\nMERGIFY_TOKEN=$TROPHYCASE_TOKEN",
    ),
    Snippet(
        "flaky-detector",
        "flaky-detector",
        "the environment of the step",
        "FLAKY_DETECTOR_URL={url}\nFLAKY_DETECTOR_TOKEN=$TROPHYCASE_TOKEN",
    ),
    Snippet(
        "jux",
        "pytest-jux",
        "the environment of the step",
        "JUX_API_URL={url}/api/v1\nJUX_BEARER_TOKEN=$TROPHYCASE_TOKEN",
    ),
    Snippet(
        "launchable",
        "Launchable",
        "the environment of the step",
        "LAUNCHABLE_BASE_URL={url}\nLAUNCHABLE_TOKEN=v1:organization/workspace:$TROPHYCASE_TOKEN",
        "Organization and workspace may be any words.",
    ),
)


def producer(key: str) -> Snippet:
    """Return the test runner of that key; pytest for a key that is none."""
    return next((snippet for snippet in PRODUCERS if snippet.key == key), PRODUCERS[0])


def sender(key: str, *, base_url: str, files: str = REPORT) -> Snippet:
    """Return how the CI of that key sends these files to this server; the uploader's line for a key that is none."""
    found = next((one for one in SENDERS if one.key == key), SENDERS[0])
    send = f"curl -fsS {{url}}/upload.py | python3 - upload --wait {_quoted(files)}"
    return replace(found, text=_here(found.text.replace("{send}", send), base_url))


def client(key: str, *, base_url: str) -> Snippet | None:
    """Return the line to set for the client of that key, so that it sends to this server; None for no such client."""
    found = next((one for one in CLIENTS if one.key == key), None)
    if found is None:
        return None
    return replace(found, text=_here(found.text, base_url), note=_here(found.note, base_url))


def every(*, base_url: str, files: str) -> Every:
    """Return all snippets; the lines of CIs send these files."""
    clients = (client(one.key, base_url=base_url) for one in CLIENTS)
    return Every(
        producers=PRODUCERS,
        senders=tuple(sender(one.key, base_url=base_url, files=files) for one in SENDERS),
        clients=tuple(one for one in clients if one),
    )


def _here(text: str, base_url: str) -> str:
    """Put this server's address where it belongs."""
    return text.replace("{url}", base_url).replace("{host}", base_url.partition("://")[2])


def _quoted(files: str) -> str:
    """Keep a pattern from the shell, which does not know ** everywhere."""
    return f"'{files}'" if set("*{") & set(files) else files
