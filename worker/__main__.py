"""
`python -m worker` is `vpn-worker`.
"""

from worker.cli import main

if __name__ == "__main__":
    main()
