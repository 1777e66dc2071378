"""What all rooms share: reaches into other libraries and the system, and checks of what is given."""
