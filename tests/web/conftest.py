"""Tests marked `soak` are left out here, too, unless somebody asks for them."""

from tests.running.conftest import pytest_collection_modifyitems, pytest_configure

__all__ = ["pytest_collection_modifyitems", "pytest_configure"]
