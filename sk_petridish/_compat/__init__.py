"""What reaches into other libraries and the operating system, and nothing else."""
