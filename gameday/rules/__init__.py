"""Prometheus rules of SLOs, their unit tests, and whom their alerts reach.

Pure: values in, text out.
"""
