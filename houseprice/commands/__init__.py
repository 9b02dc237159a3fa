"""The commands of ``houseprice``, one a module; heavy imports wait until a command runs."""
