"""The database of one application: transactions for views and commands."""

from __future__ import annotations

from flask import current_app

from builder.catalog import Base, Catalog, open_catalog
from study_app import models


def open_database(url: str) -> Catalog:
    """Open the catalog and bring the study's tables to this version; raises CatalogError."""
    catalog = open_catalog(url)
    Base.metadata.create_all(
        catalog.engine,
        tables=[table for table in Base.metadata.sorted_tables if table.name in _own_tables()],
    )
    return catalog


def _own_tables() -> set[str]:
    return {
        mapper.class_.__tablename__
        for mapper in Base.registry.mappers
        if mapper.class_.__module__ == models.__name__
    }


def database() -> Catalog:
    """The running application's database: `with database().reading() as session`, or `.writing()`."""
    found: Catalog = current_app.extensions["study_database"]
    return found
