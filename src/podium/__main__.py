"""`python -m podium`."""

from podium.cli import main

main(prog_name="podium")
