"""Letters for the owners of tests, readers without an account, and how long is kept what was told."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def key():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def link(to, *, null=False, related_name):
    return models.ForeignKey(
        null=null, on_delete=django.db.models.deletion.CASCADE, related_name=related_name, to=to
    )


def one_of(*names, name):
    left, right = ((field, None) for field in names)
    return models.CheckConstraint(condition=models.Q(left, right, _connector="XOR"), name=name)


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("projects", "0010_completeness"),
    ]

    operations = [
        migrations.AddField(
            "project",
            "keep_told_days",
            models.PositiveIntegerField(
                db_default=400, default=400, validators=[django.core.validators.MinValueValidator(30)]
            ),
        ),
        migrations.AddField("membership", "only_own", models.BooleanField(db_default=False, default=False)),
        migrations.CreateModel(
            "LetterVersion",
            [
                ("id", key()),
                ("owners", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("only_own", models.BooleanField(default=False)),
                ("subject", models.CharField(max_length=300)),
                ("html", models.TextField()),
                ("text", models.TextField()),
                ("asked", models.JSONField(default=list)),
                ("letter", link("projects.letter", related_name="versions")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("letter", "owners", "only_own"), name="one_version_an_owner"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "LetterAddress",
            [
                ("id", key()),
                ("address", models.CharField(max_length=254)),
                ("wants_letter", models.BooleanField(default=True)),
                ("only_changes", models.BooleanField(default=True)),
                ("only_own", models.BooleanField(default=True)),
                ("refused", models.CharField(blank=True, max_length=500)),
                ("refused_at", models.DateTimeField(null=True)),
                ("project", link("projects.project", related_name="letter_addresses")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "address"), name="one_letter_an_address")
                ]
            },
        ),
        migrations.CreateModel(
            "OwnerReader",
            [
                ("id", key()),
                ("owner", models.CharField(max_length=200)),
                ("project", link("projects.project", related_name="owner_readers")),
                ("membership", link("projects.membership", null=True, related_name="owners")),
                ("address", link("projects.letteraddress", null=True, related_name="owners")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "owner", "membership"), name="one_owner_a_member"
                    ),
                    models.UniqueConstraint(
                        fields=("project", "owner", "address"), name="one_owner_an_address"
                    ),
                    one_of("membership", "address", name="an_owner_has_one_kind_of_reader"),
                ]
            },
        ),
        migrations.AlterField(
            "letterdelivery", "user", link(settings.AUTH_USER_MODEL, null=True, related_name="+")
        ),
        migrations.AddField(
            "letterdelivery", "address", link("projects.letteraddress", null=True, related_name="deliveries")
        ),
        migrations.AddField(
            "letterdelivery", "version", link("projects.letterversion", null=True, related_name="deliveries")
        ),
        migrations.AddConstraint(
            "letterdelivery",
            models.UniqueConstraint(fields=("letter", "address"), name="one_delivery_an_address"),
        ),
        migrations.AddConstraint(
            "letterdelivery", one_of("user", "address", name="a_delivery_has_one_kind_of_reader")
        ),
    ]
