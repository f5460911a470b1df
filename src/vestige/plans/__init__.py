"""The built-in plans, as files a user can copy and change."""

from __future__ import annotations

from importlib.resources import files


def text_of(name: str) -> str:
    """Return the text of a built-in plan ("capitals", "customers" or "selftest")."""
    return files("vestige.plans").joinpath(f"{name}.toml").read_text(encoding="utf-8")
