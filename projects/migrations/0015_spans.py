"""Days summed test by test ahead of the pages that ask for them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0014_refusals"),
    ]

    operations = [
        migrations.CreateModel(
            name="Span",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("on_default", models.BooleanField()),
                ("since", models.DateField()),
                ("until", models.DateField()),
                ("n_uploads", models.PositiveIntegerField()),
                ("made_at", models.DateTimeField()),
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
        migrations.CreateModel(
            name="TestSpan",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id",
                        "span_number",
                        "test_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("span_number", models.PositiveIntegerField()),
                ("test_id", models.PositiveIntegerField()),
                ("n_results", models.PositiveIntegerField()),
                ("n_bad", models.PositiveIntegerField()),
                ("n_skipped", models.PositiveIntegerField()),
                ("n_flaky", models.PositiveIntegerField()),
                ("seconds", models.FloatField()),
                ("n_timed", models.PositiveIntegerField()),
                ("near_median", models.BinaryField()),
                ("near_p95", models.BinaryField()),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
            ],
        ),
    ]
