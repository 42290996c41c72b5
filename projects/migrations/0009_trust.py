"""Repositories whose CI jobs upload without a token."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("projects", "0008_retention"),
    ]

    operations = [
        migrations.CreateModel(
            "Trust",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("issuer", models.CharField(max_length=200)),
                ("repository", models.CharField(max_length=300)),
                ("owner_id", models.CharField(blank=True, max_length=50)),
                ("branches", models.CharField(blank=True, max_length=500)),
                ("events", models.CharField(blank=True, max_length=500)),
                ("takes_pulls", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="trusts", to="projects.project"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "repository", "project"), name="one_trust_a_repository"
                    )
                ]
            },
        ),
    ]
