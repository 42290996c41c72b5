"""Wrong passwords, counted so that guessing is slow."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0017_muting"),
    ]

    operations = [
        migrations.CreateModel(
            name="WrongLogin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                ("address", models.BinaryField(max_length=16)),
                ("account", models.BinaryField(max_length=16)),
                ("is_known_browser", models.BooleanField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["address", "at"], name="wrong_login_by_address"),
                    models.Index(fields=["account", "at"], name="wrong_login_by_account"),
                ],
            },
        ),
    ]
