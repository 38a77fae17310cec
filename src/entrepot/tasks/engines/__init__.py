"""What runs steps: one small interface, and the engines behind it."""
