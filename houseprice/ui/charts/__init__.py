"""What charts look like: figures made of frames."""
