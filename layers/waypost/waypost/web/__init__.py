"""Reports as pages: rendered here, readable without scripts, and safe to show to strangers.

- ``visit``      a request for a page, from its address to the answer
- ``access``     whose share link a request carries, and whether it covers the page
- ``rendering``  templates, and the headers that keep a page to itself
- ``views``      what the pages of a workspace show, ``campaign_views`` those of a campaign
- ``charts``     clicks over time as a picture
- ``devices``    user agents in words
- ``click_map``  the message that was sent, each link with its share of the clicks

Pages load nothing, run nothing and change nothing: their Content-Security-Policy allows no script,
no style but their own, and pictures only as data. What others wrote (names, URLs, tags, agents) is
escaped by the templates; the message stands in a sandboxed frame of its own.
"""
