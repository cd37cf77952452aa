"""Generated from protos/pointsman/v1; do not edit."""
