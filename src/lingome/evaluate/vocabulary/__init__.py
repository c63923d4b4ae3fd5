"""Which vocabulary reads a genome best."""
