"""The demo: one e-mail to 25 recipients, their clicks, and the report, on an embedded stack."""
