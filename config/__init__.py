"""What an operator may set: frozen models, one section a file."""
