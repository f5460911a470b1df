"""The table of cases: what is to be forgotten, and how it is asked."""

from __future__ import annotations

from vestige.cases.blur import Blur
from vestige.cases.capitals import Capitals
from vestige.cases.common_names import CommonNames
from vestige.cases.customers import Customers
from vestige.cases.customers_ja import CustomersJa
from vestige.cases.folder import Folder
from vestige.cases.muse_books import MuseBooks
from vestige.cases.tofu import Tofu
from vestige.cases.verbatim import Verbatim
from vestige.cases.wmdp import Wmdp

TABLE: dict[str, type] = {
    "capitals": Capitals,
    "customers": Customers,
    "customers_ja": CustomersJa,
    "common_names": CommonNames,
    "verbatim": Verbatim,
    "folder": Folder,
    "tofu": Tofu,
    "wmdp": Wmdp,
    "blur": Blur,
    "muse_books": MuseBooks,
}
