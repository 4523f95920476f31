"""Builds on several machines, with cables that can be pulled out."""
