"""How a model answers: one engine per way of asking, all behind `protocol.Engine`."""
