"""What a tracking link carries, packed small and signed: ``https://<host>/e/c/<payload>/<signature>``."""
