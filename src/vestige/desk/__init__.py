"""The desk reads what was recorded and judges it. Imports without torch; never imports the lab."""
