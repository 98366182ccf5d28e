"""Report pages: HTML rendered on the server, without scripts, for holders of a share link.

- ``app``        routes a page request and maps errors to error pages
- ``access``     share cookies, and the query of a page request
- ``views``      one function for each page
- ``rendering``  templates, filters and security headers
- ``charts``     layout of the chart of clicks over time
- ``click_map``  the sent message, each link marked with its share of the clicks

Pages only read. Their Content-Security-Policy allows no script, no image and no style except their
own. Templates escape all names, URLs, tags and user agents; the message is in a sandboxed frame.
"""
