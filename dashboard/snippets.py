"""How each test runner writes JUnit XML, and how each CI sends it: text to copy.

Pure. The address of this server comes in; the token never does: CI keeps it as the secret TROPHYCASE_TOKEN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SECRET = "TROPHYCASE_TOKEN"  # noqa: S105 - the name under which CI keeps the token


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to copy for one tool, with where it goes, and a note where something often goes wrong."""

    key: str
    name: str
    where: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """How one CI sends a report: where its values come from, and the frame around the command."""

    key: str
    name: str
    where: str
    frame: str  # with {curl} in it, at the indent that the lines of the command get
    branch: str
    commit: str
    run: str
    extra: tuple[str, ...] = ()
    note: str = ""


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
        "Each spec writes its own file: send them all with one -F file=@… for each.",
    ),
    Snippet(
        "go",
        "Go",
        "command",
        "go install gotest.tools/gotestsum@latest\ngotestsum --junitfile report.xml -- -race ./...",
        "With -race every test takes longer; send such runs with -F environment=race.",
    ),
    Snippet(
        "cargo-nextest",
        "cargo-nextest",
        ".config/nextest.toml",
        '[profile.ci.junit]\npath = "report.xml"\n\n'
        "# then: cargo nextest run --profile ci\n# the file is target/nextest/ci/report.xml",
    ),
    Snippet(
        "gradle",
        "Gradle",
        "build.gradle.kts",
        "tasks.test {\n  reports.junitXml.required.set(true)\n  reports.junitXml.mergeReruns.set(true)\n}\n\n"
        "// the files are build/test-results/test/*.xml",
    ),
    Snippet(
        "maven",
        "Maven",
        "command",
        "mvn verify -Dsurefire.rerunFailingTestsCount=1 -Dfailsafe.rerunFailingTestsCount=1\n\n"
        "# the files are target/surefire-reports/TEST-*.xml and target/failsafe-reports/TEST-*.xml",
        "A rerun shows a flaky test on the first day. What failsafe runs (*IT) is integration.",
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

SENDERS = (
    Sender("curl", "curl", "any shell", "{curl}", branch="main", commit='"$SHA"', run='"$RUN"'),
    Sender(
        "github",
        "GitHub Actions",
        ".github/workflows/test.yml, after the tests",
        "- name: Send results to Trophycase\n"
        "  if: ${{ !cancelled() }}\n"
        "  env:\n"
        "    TROPHYCASE_TOKEN: ${{ secrets.TROPHYCASE_TOKEN }}\n"
        "  run: |\n"
        "    {curl}",
        branch='"${GITHUB_HEAD_REF:-$GITHUB_REF_NAME}"',
        commit='"$GITHUB_SHA"',
        run='"$GITHUB_RUN_ID"',
        extra=(
            'pull_request="${{ github.event.number }}"',
            'attempt="$GITHUB_RUN_ATTEMPT"',
            'job="$GITHUB_JOB"',
            'url="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"',
        ),
        note="Keep the token as an Actions secret. Without !cancelled() only green runs would arrive.",
    ),
    Sender(
        "gitlab",
        "GitLab CI",
        ".gitlab-ci.yml, in the job of the tests",
        "after_script:\n  - >\n    {curl}",
        branch='"$CI_COMMIT_REF_NAME"',
        commit='"$CI_COMMIT_SHA"',
        run='"$CI_PIPELINE_ID"',
        extra=('pull_request="$CI_MERGE_REQUEST_IID"', 'job="$CI_JOB_NAME"', 'url="$CI_PIPELINE_URL"'),
        note="Keep the token under Settings, CI/CD, Variables, masked. after_script runs after failures too.",
    ),
    Sender(
        "jenkins",
        "Jenkins",
        "Jenkinsfile",
        "post {\n"
        "  always {\n"
        "    withCredentials([string(credentialsId: 'trophycase', variable: 'TROPHYCASE_TOKEN')]) {\n"
        "      sh '''\n"
        "        {curl}\n"
        "      '''\n"
        "    }\n"
        "  }\n"
        "}",
        branch='"${CHANGE_BRANCH:-$BRANCH_NAME}"',
        commit='"$GIT_COMMIT"',
        run='"$BUILD_TAG"',
        extra=('pull_request="$CHANGE_ID"', 'url="$BUILD_URL"'),
    ),
    Sender(
        "circleci",
        "CircleCI",
        ".circleci/config.yml, after the tests",
        "- run:\n    name: Send results to Trophycase\n    when: always\n    command: |\n      {curl}",
        branch='"$CIRCLE_BRANCH"',
        commit='"$CIRCLE_SHA1"',
        run='"$CIRCLE_WORKFLOW_ID"',
        extra=(
            'pull_request="${CIRCLE_PULL_REQUEST##*/}"',
            'shard="$CIRCLE_NODE_INDEX"',
            'shard_total="$CIRCLE_NODE_TOTAL"',
            'job="$CIRCLE_JOB"',
            'url="$CIRCLE_BUILD_URL"',
        ),
    ),
    Sender(
        "buildkite",
        "Buildkite",
        ".buildkite/hooks/pre-exit",
        "#!/bin/bash\n{curl}",
        branch='"$BUILDKITE_BRANCH"',
        commit='"$BUILDKITE_COMMIT"',
        run='"$BUILDKITE_BUILD_ID"',
        extra=(
            'pull_request="${BUILDKITE_PULL_REQUEST#false}"',
            'job="$BUILDKITE_LABEL"',
            'url="$BUILDKITE_BUILD_URL"',
        ),
    ),
    Sender(
        "azure",
        "Azure Pipelines",
        "azure-pipelines.yml, after the tests",
        "- script: |\n    {curl}\n"
        "  condition: succeededOrFailed()\n"
        "  displayName: Send results to Trophycase\n"
        "  env:\n"
        "    TROPHYCASE_TOKEN: $(TROPHYCASE_TOKEN)",
        branch='"${SYSTEM_PULLREQUEST_SOURCEBRANCH:-$BUILD_SOURCEBRANCH}"',
        commit='"$BUILD_SOURCEVERSION"',
        run='"$BUILD_BUILDID"',
        extra=(
            'pull_request="$SYSTEM_PULLREQUEST_PULLREQUESTNUMBER"',
            'attempt="$SYSTEM_JOBATTEMPT"',
            'job="$AGENT_JOBNAME"',
        ),
    ),
    Sender(
        "bitbucket",
        "Bitbucket Pipelines",
        "bitbucket-pipelines.yml, in the step of the tests",
        "after-script:\n  - >\n    {curl}",
        branch='"$BITBUCKET_BRANCH"',
        commit='"$BITBUCKET_COMMIT"',
        run='"$BITBUCKET_PIPELINE_UUID"',
        extra=('pull_request="$BITBUCKET_PR_ID"',),
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
        "  - test-collector#v2.0.0:\n"
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

# Folded YAML (>) joins the lines of a command by itself: a backslash at their ends would be one too many.
FOLDED = ">\n"


def producer(key: str) -> Snippet:
    """Return the test runner of that key; pytest for a key that is none."""
    return next((snippet for snippet in PRODUCERS if snippet.key == key), PRODUCERS[0])


def sender(key: str, *, base_url: str) -> Snippet:
    """Return how the CI of that key sends a report to this server; curl for a key that is none."""
    found = next((one for one in SENDERS if one.key == key), SENDERS[0])
    return Snippet(found.key, found.name, found.where, _text(found, base_url=base_url), found.note)


def client(key: str, *, base_url: str) -> Snippet | None:
    """Return the line to set for the client of that key, so that it sends to this server; None for no such client."""
    found = next((one for one in CLIENTS if one.key == key), None)
    if found is None:
        return None
    return replace(found, text=_here(found.text, base_url), note=_here(found.note, base_url))


def _here(text: str, base_url: str) -> str:
    """Put this server's address where it belongs."""
    return text.replace("{url}", base_url).replace("{host}", base_url.partition("://")[2])


def _text(one: Sender, *, base_url: str) -> str:
    """Put the command into the frame, its further lines under the first."""
    place = one.frame.index("{curl}")
    indent = " " * (place - one.frame.rfind("\n", 0, place) - 1)
    is_folded = one.frame[:place].rstrip(" ").endswith(FOLDED)
    lines = _curl(one, base_url=base_url)
    joint = f"\n{indent}" if is_folded else f" \\\n{indent}  "
    return one.frame.replace("{curl}", joint.join(lines))


def _curl(one: Sender, *, base_url: str) -> list[str]:
    fields = [f"branch={one.branch}", f"commit={one.commit}", f"run={one.run}", *one.extra]
    return [
        f'curl -f -H "Authorization: Bearer ${SECRET}"',
        *(f"-F {field}" for field in fields),
        "-F file=@report.xml",
        f"{base_url}/api/v1/uploads",
    ]
