"""A handler that does nothing: what Lambda's runtime client takes by itself."""


def handler(event: object, context: object) -> dict[str, object]:
    del event, context
    return {"statusCode": 302, "headers": {"location": "https://example.com/"}}
