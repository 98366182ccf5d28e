"""Templates: compiled once, rendered for each recipient, their links known by where they stand.

- ``template``     a text that is Liquid
- ``language``     python-liquid with limits; ``filters`` are bounded, ``tags`` are ours
- ``steadiness``   whether links stand where they stand, whatever the data; ``standing`` tells of
                   each piece of Liquid where in the HTML it is, ``lexing`` where in the source
- ``marking``      marks around links; ``canvas`` reads them while it is rendered onto
- ``tokenizing``   cuts a template into tokens
"""
