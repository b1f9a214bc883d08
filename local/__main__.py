"""`python -m local`: the same as the command `pagemill`."""

from local.cli import main

main()
