"""Every table of a project's rows can be spread by project: the live catalog is asked."""

from __future__ import annotations

import pytest
from django.db import connection

# Few rows a project, written by people: these may be found by an id or a secret of their own.
SMALL_TABLES = {
    "projects_membership",
    "projects_token",
    "projects_trust",
    "projects_layerrule",
    "projects_savedview",
    "projects_letter",
    "projects_letteraddress",
    "projects_ownerreader",
    "projects_channel",
}

UNIQUE_INDEXES = """
    SELECT c.relname, i.indexrelid::regclass::text,
           (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0])
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_attribute p ON p.attrelid = c.oid AND p.attname = 'project_id' AND NOT p.attisdropped
    WHERE i.indisunique AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
    ORDER BY 1, 2
"""


@pytest.mark.django_db
def test_unique_keys_of_large_tables_begin_with_the_project() -> None:
    with connection.cursor() as cursor:
        cursor.execute(UNIQUE_INDEXES)
        rows = cursor.fetchall()

    assert rows, "no table has a project_id"
    elsewhere = [row for row in rows if row[0] not in SMALL_TABLES and row[2] != "project_id"]
    assert elsewhere == []
