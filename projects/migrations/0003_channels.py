"""Add the events and the channels that tell them, what readers ask of their letters, and signed links."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('projects', '0002_partitions'),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='projects.project')),
                ('kind', models.PositiveSmallIntegerField(choices=[(1, 'mail'), (2, 'slack'), (3, 'teams'), (4, 'webhook')])),
                ('name', models.CharField(max_length=100)),
                ('address', models.CharField(max_length=1000)),
                ('secret', models.CharField(blank=True, max_length=100)),
                ('wants', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(choices=[(0, 'trial'), (1, 'flaky'), (2, 'broken'), (3, 'fixed'), (4, 'budget'), (5, 'shape'), (6, 'uploads-stopped'), (7, 'uploads-refused'), (8, 'outage')]), default=list, size=None)),
                ('is_on', models.BooleanField(default=True)),
                ('why_off', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='ChannelDelivery',
            fields=[
                ('pk', models.CompositePrimaryKey('project_id', 'id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='projects.channel')),
                ('id', models.UUIDField(default=uuid.uuid4)),
                ('replay_of', models.UUIDField(null=True)),
                ('subject', models.CharField(max_length=300)),
                ('message', models.JSONField()),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('n_tries', models.PositiveSmallIntegerField(default=0)),
                ('tried_at', models.DateTimeField(null=True)),
                ('took_s', models.FloatField(null=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('answer', models.CharField(blank=True, max_length=500)),
                ('is_over', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('pk', models.CompositePrimaryKey('project_id', 'id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('id', models.UUIDField(default=uuid.uuid4)),
                ('kind', models.PositiveSmallIntegerField(choices=[(0, 'trial'), (1, 'flaky'), (2, 'broken'), (3, 'fixed'), (4, 'budget'), (5, 'shape'), (6, 'uploads-stopped'), (7, 'uploads-refused'), (8, 'outage')])),
                ('at', models.DateTimeField()),
                ('key', models.CharField(max_length=100)),
                ('title', models.TextField()),
                ('detail', models.CharField(blank=True, max_length=500)),
                ('path', models.CharField(max_length=300)),
                ('is_good', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='Reader',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='reader', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('time_zone', models.CharField(blank=True, max_length=64)),
                ('refused_address', models.CharField(blank=True, max_length=254)),
                ('refused', models.CharField(blank=True, max_length=500)),
                ('refused_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Watch',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='watch', serialize=False, to='projects.project')),
                ('looked_at', models.DateTimeField()),
                ('over_budget', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), default=list, size=None)),
                ('is_off_target', models.BooleanField(null=True)),
                ('is_silent', models.BooleanField(default=False)),
                ('is_refused', models.BooleanField(default=False)),
                ('incidents', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), default=list, size=None)),
            ],
        ),
        migrations.AddField(
            model_name='flakeevent',
            name='is_told',
            field=models.BooleanField(default=True),  # what happened before there were channels is no news
        ),
        migrations.AlterField(
            model_name='flakeevent',
            name='is_told',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='letterdelivery',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='membership',
            name='only_changes',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='project',
            name='links_version',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddIndex(
            model_name='flakeevent',
            index=models.Index(condition=models.Q(('is_told', False)), fields=['project'], name='event_untold'),
        ),
        migrations.AddIndex(
            model_name='upload',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['received_at'], name='upload_by_age', pages_per_range=16),
        ),
        migrations.AddIndex(
            model_name='channeldelivery',
            index=models.Index(condition=models.Q(('is_over', False)), fields=['due_at'], name='channel_waiting'),
        ),
        migrations.AddIndex(
            model_name='channeldelivery',
            index=models.Index(fields=['channel', '-created_at'], name='channel_log'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['project', '-at'], name='told_by_time'),
        ),
    ]
