"""Stop checking the project of each test: a tenth of a first upload, and tests go before their project does."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Drop the constraint; the column stays."""

    dependencies = [
        ("projects", "0023_narrow_days"),
    ]

    operations = [
        migrations.AlterField(
            model_name="test",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tests",
                to="projects.project",
            ),
        ),
    ]
