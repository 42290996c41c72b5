# One image for web, worker, beat and migrate; docker-compose.yml says which is which.
FROM python:3.13-slim AS packages
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TROPHYCASE_HOME=/data \
    STATIC_ROOT=/app/collected
RUN useradd --system --uid 10001 --no-create-home trophycase \
    && mkdir /data \
    && chown trophycase /data
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
RUN SECRET_KEY=only-for-this-step python manage.py collectstatic --no-input
USER trophycase
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "config.wsgi:application", "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--preload", "--no-control-socket", "--access-logfile", "-", "--bind", "0.0.0.0:8000"]
