"""Who answers: one protocol for everything that values houses."""
