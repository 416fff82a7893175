"""
The provisioning worker: requests from RabbitMQ in, VPN services created, events out.
"""
