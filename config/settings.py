"""All settings, read from the environment and safe when nothing is set. README lists every variable."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config.hosts import is_this_machine
from config.logs import logging_config, report_errors
from config.redaction import Redactor

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set. Copy .env.example to .env, or run `make run`, which makes one.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
PORT = env.int("PORT", default=8000)
PUBLIC_BASE_URL = (env.str("PUBLIC_BASE_URL", default="") or f"http://127.0.0.1:{PORT}").rstrip("/")
CRON_SECRET = env.str("CRON_SECRET", default="")
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

INSTALLED_APPS = [
    "config.apps.StaffAdminConfig",
    "config.apps.LaurelConfig",
    "loops_sync",
    "nominations",
    "loyalty",
    "crm",
    "notifications",
    "django.contrib.auth",
    "django.contrib.humanize",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "knox",
    "axes",
    "corsheaders",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "config.middleware.RequestLogMiddleware",
    "config.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.middleware.CleanTextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "config.second_factor.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = True
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
            ]
        },
    }
]

# --- Database and queue --------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE makes writers queue instead of failing with "database is locked"; FULL survives a power loss.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Statements are prepared from their fifth time on: a redemption takes two thirds of the time. Behind a pooler that
    # hands out connections by the transaction, end DATABASE_URL in ?prepare_threshold=None.
    given = DATABASES["default"].get("OPTIONS", {})
    DATABASES["default"]["OPTIONS"] = {"server_side_binding": True, "prepare_threshold": 5, **given}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The queue only shortens the wait: the outbox owns attempts and backoff, so a task never raises for a foreign error.
# Redis forgets what a killed worker had in hand (the next sweep makes up for it); the database does not.
REDIS_URL = env.str("REDIS_URL", default="")
Q_CLUSTER = {
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
    "name": "laurel",
    "workers": 3,
    "queue_limit": 3,
    "bulk": 1,
    "timeout": 150,
    "retry": 600,
    "max_attempts": 5,
    "ack_failures": True,
    "poll": 0.05,
    "save_limit": 0,
    "recycle": 500,
    "max_rss": 300_000,
    "catch_up": False,
    "guard_cycle": 0.5,
    "label": "Queue",
}

# --- People and sessions -------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "crm.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = 20
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "crm.services.login_name"
AXES_LOCKOUT_CALLABLE = "config.errors.locked_out"
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
# Locking by account alone is wanted: an attacker has many addresses.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]
STAFF_REQUIRE_2FA = env.bool("STAFF_REQUIRE_2FA", default=not DEBUG)
OTP_TOTP_ISSUER = "Laurel"
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(hours=12), "AUTO_REFRESH": False}

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "config.errors.csrf_failed"
# Named as in Django 6, so that the upgrade deletes our middleware.
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- API -----------------------------------------------------------------------------------------------------------
THROTTLE_RATES = {
    "public": env.str("THROTTLE_PUBLIC", default="30/min"),
    "lookup": env.str("THROTTLE_LOOKUP", default="60/min"),
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.drf.BearerAuthentication", "config.drf.StrictSessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.drf.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.drf.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_THROTTLE_CLASSES": ["config.drf.GateThrottle"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.LaurelSchema",
    "EXCEPTION_HANDLER": "config.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Laurel",
    "DESCRIPTION": "Awards, leads and points, kept true in Loops.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Two fields called `kind` that mean different things.
    "ENUM_NAME_OVERRIDES": {
        "CodeKindEnum": "loyalty.models.QrKey.Kind",
        "KindEnum": "nominations.models.Category.Kind",
    },
}

# --- Loops ---------------------------------------------------------------------------------------------------------
LOOPS_SYNC_ENABLED = env.bool("LOOPS_SYNC_ENABLED", default=False)
LOOPS_API_KEY = env.str("LOOPS_API_KEY", default="")
LOOPS_BASE_URL = env.str("LOOPS_BASE_URL", default="") or (
    f"http://127.0.0.1:{PORT + 10}/api/v1" if DEBUG else "https://app.loops.so/api/v1"
)
LOOPS_TIMEOUT_SECONDS = env.float("LOOPS_TIMEOUT_SECONDS", default=10)
# Empty means no gate: for benchmarks against a sandbox that has no limit either.
LOOPS_REQUESTS_PER_SECOND = float(env.str("LOOPS_REQUESTS_PER_SECOND", default="9.3") or 0)
LOOPS_SOURCE = env.str("LOOPS_SOURCE", default="Laurel Awards")
LOOPS_CLIENT_SOURCE = env.str("LOOPS_CLIENT_SOURCE", default="Laurel Clients")
LOOPS_GROUPS = {
    "nominee": env.str("LOOPS_GROUP_NOMINEE", default="Nominess"),
    "nominator_live": env.str("LOOPS_GROUP_NOMINATOR_LIVE", default="Nominator Live"),
    "nominator": env.str("LOOPS_GROUP_NOMINATOR", default="Nominator"),
    "voter": env.str("LOOPS_GROUP_VOTER", default="Voters"),
}
# Signs what Loops tells us; empty refuses everything.
LOOPS_WEBHOOK_SECRET = env.str("LOOPS_WEBHOOK_SECRET", default="")
# The template of each mail in Loops; an empty one is not sent.
LOOPS_TRANSACTIONAL = {
    "vote": env.str("LOOPS_TRANSACTIONAL_VOTE", default=""),
    "nomination": env.str("LOOPS_TRANSACTIONAL_NOMINATION", default=""),
    "nominee_approved": env.str("LOOPS_TRANSACTIONAL_NOMINEE_APPROVED", default=""),
    "nominator_approved": env.str("LOOPS_TRANSACTIONAL_NOMINATOR_APPROVED", default=""),
}
LOOPS_LISTS = {role: env.str(f"LOOPS_LIST_{role.upper()}", default="") for role in LOOPS_GROUPS}

if not DEBUG and is_this_machine(urlsplit(LOOPS_BASE_URL).hostname or ""):
    raise ImproperlyConfigured("LOOPS_BASE_URL points at this machine while DEBUG is off: that is the sandbox.")

# --- Nango, and the CRMs behind it ---------------------------------------------------------------------------------
NANGO_SECRET_KEY = env.str("NANGO_SECRET_KEY", default="")
NANGO_HOST = env.str("NANGO_HOST", default="") or (
    f"http://127.0.0.1:{PORT + 10}/nango" if DEBUG else "https://api.nango.dev"
)
NANGO_CONNECT_URL = env.str("NANGO_CONNECT_URL", default="") or (
    f"http://127.0.0.1:{PORT + 10}/connect" if DEBUG else "https://connect.nango.dev"
)
NANGO_TIMEOUT_SECONDS = env.float("NANGO_TIMEOUT_SECONDS", default=10)
NANGO_WEBHOOK_SECRET = env.str("NANGO_WEBHOOK_SECRET", default="")
# Our name of a CRM, and the id of its integration in Nango, which whoever sets it up there chooses.
NANGO_INTEGRATIONS = {
    "hubspot": env.str("NANGO_INTEGRATION_HUBSPOT", default="hubspot"),
    "salesforce": env.str("NANGO_INTEGRATION_SALESFORCE", default="salesforce"),
    "pipedrive": env.str("NANGO_INTEGRATION_PIPEDRIVE", default="pipedrive"),
    "zoho": env.str("NANGO_INTEGRATION_ZOHO", default="zoho-crm"),
    "gohighlevel": env.str("NANGO_INTEGRATION_GOHIGHLEVEL", default="highlevel"),
}

if not DEBUG and is_this_machine(urlsplit(NANGO_HOST).hostname or ""):
    raise ImproperlyConfigured("NANGO_HOST points at this machine while DEBUG is off: that is the sandbox.")

# --- Text, time, files ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# A mail server that hangs must not hold up the mails behind.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = f"Laurel <no-reply@{urlsplit(PUBLIC_BASE_URL).hostname}>"
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
# Who is told of alarms; empty: the superusers.
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])

# --- Seen from outside ---------------------------------------------------------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
LOG_LEVEL = (env.str("LOG_LEVEL", default="") or "INFO").upper()
SENTRY_DSN = env.str("SENTRY_DSN", default="")
PASSWORDS = [DATABASES["default"].get("PASSWORD"), vars().get("EMAIL_HOST_PASSWORD"), urlsplit(REDIS_URL).password]
KEYS = [SECRET_KEY, CRON_SECRET, METRICS_TOKEN, LOOPS_API_KEY, NANGO_SECRET_KEY, SENTRY_DSN]
REDACTOR = Redactor(SECRET_KEY, [*filter(None, PASSWORDS), *KEYS, LOOPS_WEBHOOK_SECRET, NANGO_WEBHOOK_SECRET])
LOGGING = logging_config(REDACTOR, level=LOG_LEVEL, is_json=not DEBUG)
if SENTRY_DSN:
    report_errors(SENTRY_DSN, REDACTOR)
