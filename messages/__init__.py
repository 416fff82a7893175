"""
The wire contract of the VPN worker: requests, events, the envelope around them, routes and schemas.

Needs pydantic and the standard library only, so that publishers and consumers can use it alone. Importing does nothing.
"""
