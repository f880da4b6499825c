"""`python -m reconciler` is `reconciler`."""

from reconciler.cli.main import main

if __name__ == "__main__":  # processes that read in parallel import this module again
    main()
