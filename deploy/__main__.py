"""`python -m deploy` is `codeloop`."""

from deploy.cli import main

main()
