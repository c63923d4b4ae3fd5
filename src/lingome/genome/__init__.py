"""Questions asked of a genome: which sites are used, which regions differ."""
