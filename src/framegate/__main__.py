"""``python -m framegate`` is the command ``framegate``."""

from framegate.cli import main

if __name__ == "__main__":
    main()
