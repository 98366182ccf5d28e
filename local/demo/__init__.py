"""The main job on the embedded stack: one e-mail, 25 recipients, their clicks, the report."""
