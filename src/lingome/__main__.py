"""``python -m lingome``: the command line, for starters of processes such as ``torchrun``."""

from lingome.cli.main import entry

if __name__ == "__main__":
    entry()
