from tests.contract.conftest import dynamodb, dynamodb_stores, tables

__all__ = ["dynamodb", "dynamodb_stores", "tables"]
