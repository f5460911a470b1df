"""`python -m vestige` is `vestige`."""

from vestige.cli import main

main(prog_name="vestige")
