"""
How requests and dead letters are told to people and programs, at the terminal and on the console's page alike.
"""
