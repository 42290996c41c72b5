"""A value that changes when known words may mean another test."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0011_owner_letters")]

    operations = [migrations.AddField("project", "identities", models.UUIDField(default=uuid.uuid4))]
