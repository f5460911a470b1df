"""A verdict as a page people read: `render` makes report.html, `summary` the lines for a terminal.

`readme_figure` draws the one picture alone. All three are pure functions of verdict.json and, for the page,
of the texts handed in beside it.
"""

from vestige.desk.report.figure import readme_figure
from vestige.desk.report.page import render
from vestige.desk.report.summary import summary
from vestige.desk.report.texts import Example, ReportTexts

__all__ = ["Example", "ReportTexts", "readme_figure", "render", "summary"]
