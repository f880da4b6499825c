"""Kinds and rows as the two databases want them: DDL, migrations, and the projection of a row. No I/O."""
