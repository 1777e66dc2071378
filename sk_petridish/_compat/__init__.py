"""What all rooms share: reaches into other libraries and the system, checks of what is given."""
