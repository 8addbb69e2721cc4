"""What both suites share."""

import os

URL = os.environ["WEIR_URL"]
HELLO = [{"role": "user", "content": "Hello!"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


def counting(http_client, part="status_code"):
    """An HTTP client of the SDK's own kind, and the statuses (or other parts) it saw."""
    seen = []
    client = http_client(event_hooks={"response": [lambda r: seen.append(getattr(r, part))]})
    return client, seen
