"""Add what a shift of durations is told from, the shifts, the speed of a run's machine, and the buckets week by week."""

import django.db.models.deletion
from django.db import migrations, models

import projects.vocabulary

LAYERS = [(layer.value, layer.word) for layer in projects.vocabulary.Layer]
BUCKETS = [(bucket.value, bucket.word) for bucket in projects.vocabulary.TimingBucket]


def project():
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
    )


class Migration(migrations.Migration):
    """Rows are made from here on; histories before it begin with the passes that the days hold."""

    dependencies = [("projects", "0003_channels")]

    operations = [
        migrations.AddField("run", "machine_factor", models.FloatField(null=True)),
        migrations.AddField("run", "n_machine_tests", models.PositiveIntegerField(default=0)),
        migrations.AddField("upload", "seconds", models.FloatField(null=True)),
        migrations.CreateModel(
            "BucketWeek",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id",
                        "monday",
                        "layer",
                        "bucket",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("project", project()),
                ("monday", models.DateField()),
                ("layer", models.PositiveSmallIntegerField(choices=LAYERS)),
                ("bucket", models.PositiveSmallIntegerField(choices=BUCKETS)),
                ("n_tests", models.PositiveIntegerField(default=0)),
                ("seconds", models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            "TestPace",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id", "test_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("project", project()),
                ("test_id", models.PositiveIntegerField()),
                ("bins", models.BinaryField(default=bytes)),
                ("n_held", models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            "DurationShift",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id",
                        "test_id",
                        "run_number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("project", project()),
                ("test_id", models.PositiveIntegerField()),
                ("run_number", models.PositiveIntegerField()),
                ("run_before", models.PositiveIntegerField(null=True)),
                ("told_by_run", models.PositiveIntegerField()),
                ("day", models.DateField()),
                ("told_on", models.DateField()),
                ("before_s", models.FloatField()),
                ("since_s", models.FloatField()),
            ],
            options={"indexes": [models.Index(fields=["project", "told_on"], name="shift_by_day")]},
        ),
        # A row is rewritten with each run: room in its page keeps the index out of that.
        migrations.RunSQL("ALTER TABLE projects_testpace SET (fillfactor = 60);", migrations.RunSQL.noop),
    ]
