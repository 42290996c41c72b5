"""Keep what an upload took by layer, how far a reclassification is, whether sums by layer are due, and the limits that buckets were judged by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Uploads from before have no seconds by layer, and make no shard."""

    dependencies = [("projects", "0004_durations")]

    operations = [
        migrations.RemoveField("upload", "seconds"),
        migrations.AddField("upload", "layer_seconds", models.JSONField(default=dict)),
        migrations.AddField("project", "n_reclassified", models.PositiveIntegerField(default=0)),
        migrations.AddField("project", "judged_limits", models.JSONField(blank=True, default=dict)),
        migrations.AddField("project", "sums_are_stale", models.BooleanField(default=False)),
    ]
