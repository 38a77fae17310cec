"""From a request to a call: which registry, who asks, may they, the challenge, the door."""
