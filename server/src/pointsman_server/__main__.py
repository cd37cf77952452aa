"""`python -m pointsman_server` is `pointsman`."""

from pointsman_server.cli import main

if __name__ == "__main__":
    main()
