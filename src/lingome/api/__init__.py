"""The Python front door: what a notebook calls, and what recipes put together. One file per object."""
