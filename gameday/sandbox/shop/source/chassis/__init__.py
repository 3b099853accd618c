"""What every service of the shop stands on."""
