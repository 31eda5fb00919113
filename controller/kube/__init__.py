"""One Kubernetes API server at a time, over the official client: who we are there, and bounded calls in bytes.

The client finds the server and proves who we are; when it does that anew is ours to say (``login``), and when a server
may be asked again (``patience``). What it would make of the answers is left to whoever asks: its models are ten times
slower than a typed decoder.
"""
