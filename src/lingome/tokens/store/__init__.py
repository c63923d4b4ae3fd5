"""A genome's tokens on disk: written once, read where they lie."""

from lingome.tokens.store.opening import is_store, open_store
from lingome.tokens.store.token_store import StoredTokens, TokenStore
from lingome.tokens.store.writing import StoreTotals, fill_store

__all__ = ["StoreTotals", "StoredTokens", "TokenStore", "fill_store", "is_store", "open_store"]
