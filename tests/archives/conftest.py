"""The script that made the archives imports modules of the versions it was written for."""

collect_ignore = ["make.py"]
