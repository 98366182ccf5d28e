"""The stores over DynamoDB's low-level calls, whoever makes them (``client.DynamoClient``)."""
