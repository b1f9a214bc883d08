"""Turns recognised lines into blocks in reading order, by geometry alone."""
