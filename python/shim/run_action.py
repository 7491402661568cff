"""Starts petrel_action, which as a module is compiled only once."""

from petrel_action import main

if __name__ == "__main__":
    main()
