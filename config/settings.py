"""Every setting, in one file: what the environment may say, and what follows from it.

`BASE_URL` decides host names, cookies, HTTPS and HSTS. Without `DATABASE_URL` and `REDIS_URL` the servers are
those that config.embedded runs beside the checkout; importing this module starts nothing.
docs/self-hosting.md describes each name.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config import embedded, env

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(env.text("TROPHYCASE_HOME", default=str(BASE_DIR / ".trophycase"))).expanduser().absolute()


def _secret_key() -> str:
    """Return the key of the environment, else the one made once for this data folder."""
    if key := env.text("SECRET_KEY", default=""):
        return key
    path = HOME / "secret"
    try:
        HOME.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"Set SECRET_KEY: none could be kept in {HOME} ({error.strerror})."
        ) from None
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(50))
    return path.read_text().strip()


# Addresses: everything about hosts, cookies and HTTPS follows from BASE_URL.

BASE_URL = env.text("BASE_URL", default="http://127.0.0.1:8000").rstrip("/")
_base = urlsplit(BASE_URL)
if _base.scheme not in ("http", "https") or not _base.hostname or _base.path:
    raise ImproperlyConfigured(
        f"BASE_URL is {BASE_URL!r}: send scheme and host, such as https://tests.example.com."
    )
_is_https = _base.scheme == "https"

SECRET_KEY = _secret_key()
DEBUG = env.flag("DEBUG", default=False)
# The loopback names let health checks in; a link in a letter is always built from BASE_URL.
ALLOWED_HOSTS = [_base.hostname, "localhost", "127.0.0.1", "[::1]"]
# datadog-ci puts these names before the site that it is given.
ALLOWED_HOSTS += [f"{name}.{host}" for name in ("cireport-intake", "api") for host in ALLOWED_HOSTS[:2]]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

SECURE_SSL_REDIRECT = _is_https
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked over plain HTTP from inside the container
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _is_https else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if _is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _is_https
SECURE_HSTS_PRELOAD = _is_https
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Browsers share cookies between the ports of a host; the port in the name keeps two checkouts apart.
_cookie_suffix = f"_{_base.port}" if _base.port else ""
SESSION_COOKIE_NAME = f"trophycase_session{_cookie_suffix}"
SESSION_COOKIE_SECURE = _is_https
SESSION_COOKIE_AGE = int(timedelta(days=30).total_seconds())
CSRF_COOKIE_NAME = f"trophycase_csrf{_cookie_suffix}"
CSRF_COOKIE_SECURE = _is_https
CSRF_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# The application

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "config.apps.StaticFiles",
    "django_htmx",
    "ninja",
    "csp",
    "projects",
    "analysis",
    "ingest",
    "dashboard",
    "reports",
]

MIDDLEWARE = [
    "config.call_stack.keep_together",
    "config.lost_bodies.refuse_lost_bodies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

CSRF_FAILURE_VIEW = "dashboard.views.refusals.csrf_failure"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.page.theme_everywhere",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Rows

DATABASE_URL = env.text("DATABASE_URL", default=embedded.database_url(HOME))
DATABASES = {
    "default": env.database(DATABASE_URL)
    | {
        # Kept connections rather than a pool: web threads are few and long-lived, and a pool does not survive
        # the fork of a Celery worker.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}

# Tasks

REDIS_URL = env.text("REDIS_URL", default=embedded.redis_url(HOME))
TASK_SECONDS = 600  # a million results take a few minutes; what takes longer is stuck

CELERY_BROKER_URL = env.broker(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task that is still running must not be handed out a second time.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 2 * TASK_SECONDS}
CELERY_TASK_DEFAULT_QUEUE = "trophycase"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = TASK_SECONDS - 30
CELERY_TASK_TIME_LIMIT = TASK_SECONDS
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500  # gives memory back after the largest reports
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep-uploads": {"task": "ingest.tasks.sweep_uploads", "schedule": timedelta(minutes=5)},
    "send-due-letters": {"task": "reports.tasks.send_due_letters", "schedule": timedelta(minutes=5)},
    "follow-paces": {"task": "analysis.tasks.follow_paces", "schedule": timedelta(minutes=1)},
    "keep-spans": {"task": "analysis.tasks.keep_spans", "schedule": timedelta(minutes=5)},
    "watch-projects": {"task": "reports.tasks.watch_projects", "schedule": timedelta(minutes=1)},
    "forget-deliveries": {
        "task": "reports.tasks.forget_deliveries",
        "schedule": crontab(hour="4", minute="7"),
    },
    "end-projects": {"task": "projects.tasks.end_projects", "schedule": timedelta(minutes=5)},
    "upkeep": {"task": "analysis.tasks.upkeep", "schedule": crontab(hour="3", minute="17")},
}

# Uploads: what one of them may weigh before it is refused.

TROPHYCASE_MAX_UPLOAD_BYTES = env.number("TROPHYCASE_MAX_UPLOAD_BYTES", default=100_000_000)
TROPHYCASE_MAX_EXPANDED_BYTES = env.number("TROPHYCASE_MAX_EXPANDED_BYTES", default=1_000_000_000)
TROPHYCASE_MAX_CASES = env.number("TROPHYCASE_MAX_CASES", default=1_000_000)
TROPHYCASE_MAX_FILES = env.number("TROPHYCASE_MAX_FILES", default=5_000)
TROPHYCASE_MAX_WAITING_UPLOADS = env.number("TROPHYCASE_MAX_WAITING_UPLOADS", default=20_000)
DATA_UPLOAD_MAX_NUMBER_FILES = TROPHYCASE_MAX_FILES  # surefire writes one file a class

# Letters

EMAIL_URL = env.text("EMAIL_URL", default="console:")
_mailer = env.mailer(EMAIL_URL)
EMAIL_BACKEND = env.text("EMAIL_BACKEND", default=_mailer.backend)  # any of Django's, or a mail service's own
ANYMAIL = env.mapping("ANYMAIL")
EMAIL_HOST = _mailer.host
EMAIL_PORT = _mailer.port
EMAIL_HOST_USER = _mailer.user
EMAIL_HOST_PASSWORD = _mailer.password
EMAIL_USE_TLS = _mailer.is_tls
EMAIL_USE_SSL = _mailer.is_ssl
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default=f"Trophycase <trophycase@{_base.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Channels: posts go to addresses that members type, so those inside the server's own network are refused.

TROPHYCASE_PRIVATE_WEBHOOKS = env.flag("TROPHYCASE_PRIVATE_WEBHOOKS", default=False)

# ID tokens: whose word is taken for which CI job is asking. Members choose among these; they can add none.

TROPHYCASE_ID_TOKEN_ISSUERS = env.text(
    "TROPHYCASE_ID_TOKEN_ISSUERS", default="https://token.actions.githubusercontent.com https://gitlab.com"
).split()
TROPHYCASE_PRIVATE_ISSUERS = env.flag("TROPHYCASE_PRIVATE_ISSUERS", default=False)

# Metrics: without a token nobody is told.

METRICS_TOKEN = env.text("METRICS_TOKEN", default="")

# Static files


def _package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it: plotly is slow to import."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImproperlyConfigured(f"{name} is not installed.")
    return Path(spec.origin).parent


STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("plotly", _package_folder("plotly") / "package_data")]
# Off, files are served from where they lie: what tests want, and a checkout under DEBUG.
IS_STATIC_COLLECTED = env.flag("TROPHYCASE_COLLECTED_STATIC", default=not DEBUG)
STATIC_ROOT = env.text("STATIC_ROOT", default=str(HOME / "static")) if IS_STATIC_COLLECTED else None
WHITENOISE_USE_FINDERS = not IS_STATIC_COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_STATIC_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Logging: plain lines to stderr; whoever runs the process keeps them.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", default="INFO").upper()},
    "loggers": {"django": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}
