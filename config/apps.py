"""Says which files of other packages are worth collecting."""

from __future__ import annotations

from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    """Leave out what no page loads: plotly's other bundles and the htmx versions beside the one in use."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "widgetbundle.js",
        "datasets",
        "htmx-4*.js",
        "htmax-4*.js",
        "ext",
    ]
