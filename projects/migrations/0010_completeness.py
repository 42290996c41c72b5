"""Which runs are incomplete and why, and the tallies that tell."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


def numbers():
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.IntegerField(), default=list, size=None
    )


class Migration(migrations.Migration):
    dependencies = [("projects", "0009_trust")]

    operations = [
        migrations.AddField("run", "is_incomplete", models.BooleanField(db_default=False, default=False)),
        migrations.AddField(
            "run", "incomplete_sentence", models.CharField(blank=True, db_default="", max_length=500)
        ),
        migrations.AddField("run", "n_judged", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.CreateModel(
            "RunTally",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id",
                        "run_number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("run_number", models.PositiveIntegerField()),
                ("on_default", models.BooleanField()),
                ("started_at", models.DateTimeField()),
                ("n_tests", models.PositiveIntegerField()),
                ("jobs", models.JSONField(default=dict)),
                ("shards", models.JSONField(default=dict)),
                ("suites", numbers()),
                ("homes", numbers()),
                ("counts", numbers()),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            "run",
            models.Index(
                condition=models.Q(("is_incomplete", True)), fields=["project", "day"], name="run_incomplete"
            ),
        ),
        migrations.AddIndex(
            "run",
            models.Index(
                condition=models.Q(("n_judged", models.F("n_uploads")), _negated=True),
                fields=["project", "started_at"],
                name="run_unjudged",
            ),
        ),
        migrations.AddIndex(
            "runtally", models.Index(fields=["project", "on_default", "started_at"], name="tally_by_time")
        ),
    ]
