"""The engine `server`: models that a server answers for, by the protocol of OpenAI's completions and chats.

`client` sends requests and repeats those that fail, `likelihoods` reads what a server says of the tokens of a text,
`lm` is the model that a cell is asked of, and the engine.
"""
