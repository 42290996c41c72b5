"""Every table of a project's rows can be spread by project: the live catalog is asked."""

from __future__ import annotations

import pytest
from django.db import connection

# Few rows a project, written by people: these may be found by an id or a secret of their own. Where the large tables are
# spread over nodes, each node has a copy of these.
SMALL_TABLES = {
    "projects_project",
    "projects_reader",
    "projects_letterversion",
    "projects_letterdelivery",
    "projects_membership",
    "projects_token",
    "projects_trust",
    "projects_layerrule",
    "projects_savedview",
    "projects_letter",
    "projects_letteraddress",
    "projects_ownerreader",
    "projects_channel",
    "projects_wronglogin",
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


TABLES = """
    SELECT c.relname, coalesce((
        SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND (i.indisprimary OR c.relname = 'projects_result') ORDER BY i.indexrelid LIMIT 1), '')
    FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
        AND c.relname LIKE 'projects\\_%'
"""
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND conrelid::regclass::text LIKE 'projects\\_%'
"""


@pytest.mark.django_db
def test_every_table_is_small_or_keyed_by_its_project() -> None:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        first_columns = dict(cursor.fetchall())

    spread = {table for table, column in first_columns.items() if column == "project_id"}
    assert {"projects_result", "projects_testday", "projects_test", "projects_upload"} <= spread
    assert first_columns.keys() - spread - SMALL_TABLES == set()
    assert SMALL_TABLES - first_columns.keys() == set()


@pytest.mark.django_db
def test_foreign_keys_lead_to_small_tables_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute(FOREIGN_KEYS)
        found = cursor.fetchall()

    copied = SMALL_TABLES | {"auth_user"}
    assert found
    assert [key for key in found if key[1] not in copied] == []


@pytest.mark.django_db
def test_unique_keys_of_large_tables_begin_with_the_project() -> None:
    with connection.cursor() as cursor:
        cursor.execute(UNIQUE_INDEXES)
        rows = cursor.fetchall()

    assert rows, "no table has a project_id"
    elsewhere = [row for row in rows if row[0] not in SMALL_TABLES and row[2] != "project_id"]
    assert elsewhere == []
