"""``python -m drillbook`` is the console script."""

from drillbook.cli import main

main()
