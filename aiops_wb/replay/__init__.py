"""A past period lived again under policies: what would have been decided, and its page."""
