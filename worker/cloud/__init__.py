"""
The only room that speaks the cloud's HTTP.
"""
