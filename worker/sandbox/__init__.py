"""
What a local set-up needs and nobody has to install by hand: a RabbitMQ node and child processes that never outlive us.
"""
