"""Stop checking the project of each pace: a first upload begins one for every fourth test, and they go before their project does."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Drop the constraint; the column stays."""

    dependencies = [
        ("projects", "0024_tests_unchecked"),
    ]

    operations = [
        migrations.AlterField(
            model_name="testpace",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="projects.project",
            ),
        ),
    ]
