"""The table of cases: what is to be forgotten, and how it is asked."""

from __future__ import annotations

from vestige.cases.capitals import Capitals
from vestige.cases.customers import Customers
from vestige.cases.folder import Folder

TABLE: dict[str, type] = {"capitals": Capitals, "customers": Customers, "folder": Folder}
