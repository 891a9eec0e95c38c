"""Putting an application on a hosting platform: targets are siblings of one shape.

    render -> check -> plan -> apply -> prove -> record     (`deploy/run.py`)

All but what speaks to a platform works offline, without credentials and without its SDK.
"""
