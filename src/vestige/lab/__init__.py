"""The lab changes models and asks them. Needs torch; never imports the desk."""
