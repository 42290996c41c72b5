"""The policy by which a project mutes flaky tests itself, and what is kept with a verdict: its environment and its cause."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0016_passbatch'),
    ]

    operations = [
        migrations.CreateModel(
            name='MutingPolicy',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='muting', serialize=False, to='projects.project')),
                ('is_on', models.BooleanField(default=False)),
                ('least_p', models.FloatField(default=0.95, validators=[django.core.validators.MinValueValidator(0.5), django.core.validators.MaxValueValidator(1.0)])),
                ('least_minutes', models.PositiveIntegerField(default=30)),
                ('most_tests', models.PositiveSmallIntegerField(default=10)),
                ('most_share', models.FloatField(default=0.01, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)])),
                ('n_days', models.PositiveSmallIntegerField(default=14, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(90)])),
                ('developer_minutes', models.PositiveSmallIntegerField(default=10)),
            ],
        ),
        migrations.AddField(
            model_name='flake',
            name='cause',
            field=models.PositiveSmallIntegerField(choices=[(0, 'not-enough-evidence'), (1, 'timing'), (2, 'shared-state'), (3, 'time-and-date'), (4, 'randomness'), (5, 'external-service'), (6, 'environment'), (7, 'resource')], null=True),
        ),
        migrations.AddField(
            model_name='flake',
            name='cause_evidence',
            field=models.CharField(blank=True, db_default='', max_length=500),
        ),
        migrations.AddField(
            model_name='flake',
            name='only_here',
            field=models.CharField(blank=True, db_default='', max_length=300),
        ),
        migrations.AddField(
            model_name='quarantine',
            name='is_by_policy',
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddIndex(
            model_name='test',
            index=models.Index(condition=models.Q(('variant', ''), _negated=True), fields=['project', 'base'], name='test_variants'),
        ),
        migrations.AddIndex(
            model_name='upload',
            index=models.Index(condition=models.Q(('attempt__gt', 1)), fields=['project', 'run_number'], name='upload_again'),
        ),
    ]
