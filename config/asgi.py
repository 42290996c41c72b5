"""The ASGI door, for those who serve with an ASGI server. Uploads with chunked bodies need no help there."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()
