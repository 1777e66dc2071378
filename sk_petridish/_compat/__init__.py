"""What reaches into other libraries, and nothing else."""
