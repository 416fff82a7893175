"""
Who we are at the cloud: accounts and their secrets, from settings, files and the environment.
"""
