"""Run the command line as ``python -m ml_pipeline.cli``."""

from ml_pipeline.cli import main

if __name__ == "__main__":
    main()
