"""Vestige finds what an "unlearned" language model still remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vestige.checkpoint import Options, audit

__version__ = "0.1.0"
__all__ = ["Options", "__version__", "audit"]


def __getattr__(name: str) -> Any:
    """Load the Python interface when it is first used: reading a report must not import torch."""
    if name in ("audit", "Options"):
        from vestige import checkpoint

        return getattr(checkpoint, name)
    raise AttributeError(f"module 'vestige' has no attribute {name!r}")
