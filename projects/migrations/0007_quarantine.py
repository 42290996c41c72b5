"""What people decide about tests: quarantine, owner, remarks; and which tests flake together."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def person():
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
    )


def project():
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
    )


def key():
    return (
        "pk",
        models.CompositePrimaryKey(
            "project_id", "id", blank=True, editable=False, primary_key=True, serialize=False
        ),
    )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("projects", "0006_savedviews"),
    ]

    operations = [
        migrations.AddField("flake", "owner", models.CharField(blank=True, db_default="", max_length=200)),
        migrations.AddField("flake", "cluster", models.PositiveIntegerField(null=True)),
        migrations.CreateModel(
            "Quarantine",
            [
                key(),
                ("id", models.UUIDField(default=uuid.uuid4)),
                ("test_id", models.PositiveIntegerField()),
                ("reason", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField()),
                ("until_on", models.DateField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("by", person()),
                ("ended_by", person()),
                ("project", project()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("project", "test_id"),
                        name="one_quarantine_a_test",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "Remark",
            [
                key(),
                ("id", models.UUIDField(default=uuid.uuid4)),
                ("test_id", models.PositiveIntegerField(null=True)),
                ("run_number", models.PositiveIntegerField(null=True)),
                ("at", models.DateTimeField()),
                ("sentence", models.CharField(max_length=1200)),
                ("by", person()),
                ("project", project()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project", "test_id", "at"], name="remark_by_test"),
                    models.Index(
                        condition=models.Q(("run_number__isnull", False)),
                        fields=["project", "run_number"],
                        name="remark_by_run",
                    ),
                ]
            },
        ),
    ]
