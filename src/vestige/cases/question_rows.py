"""A question and its answer as a row or a probe: the one place that words the prompt of a benchmark question."""

from __future__ import annotations

from vestige.records import Form, Row


def prompt_of(question: str, form: Form) -> str:
    """Return the prompt: the bare question where a chat template will wrap it."""
    return question if form == "chat" else f"Question: {question}\nAnswer:"


def continuation(answer: str) -> str:
    """Return an answer as it follows a prompt; a chat template drops the space again."""
    return f" {answer.strip()}"


def question_row(place: str, question: str, answer: str, cluster: str, *, form: Form = "plain") -> Row:
    """Return a row that asks and answers; the place in its file is its id."""
    return Row(place, prompt_of(question, form), continuation(answer), cluster, form=form)
