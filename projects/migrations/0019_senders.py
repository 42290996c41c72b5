"""The repository whose trusted job sent an upload."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0018_logins")]

    operations = [
        migrations.AddField(
            "upload",
            "repository",
            models.CharField(max_length=300, blank=True, default="", db_default=""),
        )
    ]
