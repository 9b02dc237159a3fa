"""Kinds of files beside CSV: told apart, read in a process of their own, written."""
