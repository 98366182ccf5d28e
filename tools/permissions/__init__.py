"""Check the roles of the template with iam-simulate, a second implementation of IAM.

``role_policies`` reads the roles, ``probes`` the table of allowed and denied calls, ``simulation``
runs them in Node.js. iam-simulate has the AGPL: it is run here and never part of what is deployed.
"""
