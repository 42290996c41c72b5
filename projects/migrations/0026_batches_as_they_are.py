"""Keep the arrays of batches as they are: they live for a minute, and trying to compress them took longer than writing them."""

from django.db import migrations

COLUMNS = {
    "projects_resultbatch": ("test_ids", "seconds", "codes", "numbers", "number_seconds"),
    "projects_passbatch": ("test_ids", "seconds"),
}


def storage(kind: str) -> str:
    """Return the statements that give each column this storage."""
    return "".join(
        f"ALTER TABLE {table} {', '.join(f'ALTER {column} SET STORAGE {kind}' for column in columns)};"
        for table, columns in COLUMNS.items()
    )


class Migration(migrations.Migration):
    """Nothing that the models know of."""

    dependencies = [
        ("projects", "0025_paces_unchecked"),
    ]

    operations = [migrations.RunSQL(storage("EXTERNAL"), storage("EXTENDED"))]
