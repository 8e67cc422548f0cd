"""The upstreams of the matrix: what each is called in the configuration, and where the mock plays it."""

import harness

# Name in the gateway: the model asked for, and what stands between the mock's address and a provider's paths.
UPSTREAMS = {
    "openai": ("gpt-4o", "/openai"),
    "anthropic": ("claude-sonnet-4-6", "/anthropic"),
    "gemini": ("gemini-2.5-flash", "/gemini/v1beta"),
    "bedrock": ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "/bedrock"),
    "cohere": ("command-a-03-2025", "/cohere"),
    "mistral": ("mistral-small-latest", "/mistral"),
}
KEY_NAMES = ["one"]
# Signing needs a region and a key pair; the mock looks at the form of a signature, not at its secret.
KEY_BLOCKS = {
    "bedrock": {
        "bedrock_key_config": {"region": "us-east-1", "access_key": "AKIADUMMY", "secret_key": "dummy"}
    }
}


def model_of(upstream):
    return UPSTREAMS[upstream][0]


def section(upstream, mock_url):
    """The provider section that leads to the mock."""
    keys = KEY_NAMES
    if upstream in KEY_BLOCKS:
        keys = [harness.key("one", value="", **KEY_BLOCKS[upstream])]
    return harness.provider(mock_url + UPSTREAMS[upstream][1], keys)
