"""Tests that go on under another name, and owners by CODEOWNERS."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def person():
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
    )


def numbers():
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.IntegerField(), default=list, size=None
    )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("projects", "0013_ending"),
    ]

    operations = [
        migrations.AddField("test", "code_owner", models.TextField(blank=True, db_default="")),
        migrations.CreateModel(
            "Rename",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=uuid.uuid4)),
                ("test_id", models.PositiveIntegerField()),
                ("other_id", models.PositiveIntegerField()),
                ("run_number", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "state",
                    models.PositiveSmallIntegerField(
                        choices=[(1, "proposed"), (2, "applied"), (3, "undone"), (4, "ended")]
                    ),
                ),
                ("likeness", models.FloatField()),
                ("was", models.JSONField(default=dict)),
                ("became", models.JSONField(default=dict)),
                ("moved_runs", numbers()),
                ("late_runs", numbers()),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_by", person()),
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
            options={
                "indexes": [
                    models.Index(fields=["project", "test_id"], name="rename_by_test"),
                    models.Index(fields=["project", "other_id"], name="rename_by_other"),
                ]
            },
        ),
        migrations.CreateModel(
            "CodeOwners",
            [
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="code_owners",
                        serialize=False,
                        to="projects.project",
                    ),
                ),
                ("text", models.TextField(blank=True)),
                ("digest", models.BinaryField(max_length=32)),
                ("sent_at", models.DateTimeField(null=True)),
                ("kept_at", models.DateTimeField()),
                ("is_by_hand", models.BooleanField(default=False)),
                ("owned_to", models.PositiveIntegerField(default=0)),
                ("by", person()),
            ],
        ),
    ]
