"""A handler that does nothing, to measure Lambda's runtime client."""


def handler(event: object, context: object) -> dict[str, object]:
    del event, context
    return {"statusCode": 302, "headers": {"location": "https://example.com/"}}
