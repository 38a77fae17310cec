"""The ASGI kit: request, answer, route table. It knows HTTP and nothing of registries."""
