"""Runs first after a reset, before USB is there: what fails or waits here locks a board out. So it does nothing.

The pins are inputs then, pulled down, and the relay is open. The program begins in main.py.
"""
