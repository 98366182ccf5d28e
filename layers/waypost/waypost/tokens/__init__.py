"""What a tracking link carries, packed small and signed.

    https://<host>/e/c/<payload>/<signature>

``packing`` makes identifiers small and ``destination`` destinations, ``payload`` lays the fields
out, ``signing`` signs them with a keyring, and ``sealer`` puts these together; ``opens`` does the
same for pixels (``/e/o/…``). ``paths`` says where on a host they stand.
Links are valid for ever: what version 1 wrote, every later version reads.
"""

from waypost.tokens.codec import ClickToken, PreparedLink, prepare_link, prepare_stored
from waypost.tokens.opens import OpenSealer, OpenToken
from waypost.tokens.sealer import RecipientSealer, Sealer
from waypost.tokens.signer import Keyring

__all__ = [
    "ClickToken",
    "Keyring",
    "OpenSealer",
    "OpenToken",
    "PreparedLink",
    "RecipientSealer",
    "Sealer",
    "prepare_link",
    "prepare_stored",
]
