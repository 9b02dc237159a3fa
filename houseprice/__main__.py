"""``python -m houseprice``: the same as the command ``houseprice``."""

from houseprice.cli import main

if __name__ == "__main__":
    main()
