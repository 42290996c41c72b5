"""Results that wait to be added to the days of their tests."""

import uuid

import django.db.models.deletion
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

KEY = models.CompositePrimaryKey(
    "project_id", "id", blank=True, editable=False, primary_key=True, serialize=False
)
PROJECT = models.ForeignKey(
    db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
)
# Four bytes a value, as the results have.
SHORT = """
ALTER TABLE projects_resultbatch ALTER seconds TYPE real[], ALTER number_seconds TYPE real[]
"""
LONG = """
ALTER TABLE projects_resultbatch ALTER seconds TYPE float8[], ALTER number_seconds TYPE float8[]
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0021_seats")]

    operations = [
        migrations.CreateModel(
            "ResultBatch",
            [
                ("pk", KEY),
                ("id", models.UUIDField(default=uuid.uuid4)),
                ("noted_at", models.DateTimeField()),
                ("run_number", models.PositiveIntegerField()),
                ("day", models.DateField()),
                ("on_default", models.BooleanField()),
                ("test_ids", ArrayField(base_field=models.IntegerField(), size=None)),
                ("seconds", ArrayField(base_field=models.FloatField(null=True), size=None)),
                ("codes", ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ("numbers", ArrayField(base_field=models.IntegerField(), size=None)),
                ("number_seconds", ArrayField(base_field=models.FloatField(), size=None)),
                ("project", PROJECT),
            ],
        ),
        migrations.RunSQL(SHORT, LONG),
    ]
