"""The part of StackStorm's st2common that actions import.

Only the standard library is used, so that it works in any virtual environment.
"""

__version__ = "3.9.0"
