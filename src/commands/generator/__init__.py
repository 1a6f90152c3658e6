"""The parts of generate.py: reading declarations, the synopsis grammar, and what is written from them."""
