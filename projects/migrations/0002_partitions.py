"""Create the tables partitioned by month; analysis and ingest ask projects.partitions for the months they need."""

from django.db import migrations

RESULT = """
CREATE TABLE projects_result (
    project_id integer NOT NULL,
    test_id integer NOT NULL,
    run_number integer NOT NULL,
    ran_on date NOT NULL,
    seconds real,
    outcome smallint NOT NULL CHECK (outcome BETWEEN 1 AND 4),
    n_attempts smallint NOT NULL CHECK (n_attempts >= 1)
) PARTITION BY RANGE (ran_on);
CREATE INDEX projects_result_by_test ON projects_result (project_id, test_id);
CREATE INDEX projects_result_by_run ON projects_result USING brin (project_id, run_number)
    WITH (pages_per_range = 16, autosummarize = on);
"""

TEST_DAY = """
CREATE TABLE projects_testday (
    project_id integer NOT NULL,
    on_default boolean NOT NULL,
    day date NOT NULL,
    test_id integer NOT NULL,
    n_passed integer NOT NULL DEFAULT 0,
    n_failed integer NOT NULL DEFAULT 0,
    n_error integer NOT NULL DEFAULT 0,
    n_skipped integer NOT NULL DEFAULT 0,
    n_flaky integer NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    timings bytea NOT NULL DEFAULT '',
    PRIMARY KEY (project_id, on_default, day, test_id)
) PARTITION BY RANGE (day);
"""

# Report bodies arrive compressed as a rule; compressing them again costs time and saves nothing.
BODIES = "ALTER TABLE projects_uploadfile ALTER COLUMN content SET STORAGE EXTERNAL;"

# A test is touched once a day, when it is seen; room in its page keeps that from touching the indexes.
TESTS = "ALTER TABLE projects_test SET (fillfactor = 85);"


class Migration(migrations.Migration):
    """Add the partitioned tables beside the plain ones."""

    dependencies = [("projects", "0001_initial")]

    operations = [
        migrations.RunSQL(RESULT, "DROP TABLE projects_result"),
        migrations.RunSQL(TEST_DAY, "DROP TABLE projects_testday"),
        migrations.RunSQL(BODIES, migrations.RunSQL.noop),
        migrations.RunSQL(TESTS, migrations.RunSQL.noop),
    ]
