# The web server and the worker are one image: compose.yaml says which command each runs.
FROM python:3.11-slim AS libraries
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --require-hashes --no-deps -r requirements.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MEDIA_ROOT=/media
# A user without a shell who owns nothing but the pictures.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin laurel && install -d -o laurel -g laurel /media
COPY --from=libraries /venv /venv
WORKDIR /app
COPY . .
# Nothing is signed while the static files are collected.
RUN SECRET_KEY=none python manage.py collectstatic --noinput && python -m compileall -q .
USER laurel
VOLUME /media
EXPOSE 8000
# Django answers only to the hosts it is told, and `/healthz` is not sent on to https.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-m", "config.alive"]
# exec form: the server is the process that is told to stop. A process of it is replaced after so many requests, a few
# at a time; its sign of life goes to memory, because a slow disk would look like a hung process.
CMD ["gunicorn", "--config", "python:config.gunicorn", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", \
     "--timeout", "90", "--graceful-timeout", "60", "--keep-alive", "65", "--max-requests", "5000", \
     "--max-requests-jitter", "500", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "config.wsgi"]
