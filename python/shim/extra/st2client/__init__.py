"""The part of StackStorm's client that actions import, by the standard library alone."""

__version__ = "3.9.0"
