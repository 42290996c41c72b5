"""Where failures stood in their reports, and on which worker; and the passes of flakes that they are held against."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0020_test_columns")]

    operations = [
        migrations.AddField("failure", "after_test", models.PositiveIntegerField(null=True)),
        migrations.AddField("failure", "place", models.PositiveIntegerField(null=True)),
        migrations.AddField("failure", "n_cases", models.PositiveIntegerField(null=True)),
        migrations.AddField(
            "failure", "worker", models.CharField(max_length=100, blank=True, default="", db_default="")
        ),
        migrations.AddField(
            "flake", "passes_seen", ArrayField(models.TextField(), default=list, db_default=[])
        ),
    ]
