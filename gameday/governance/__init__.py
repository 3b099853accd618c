"""What may be done, by whom and when: whether a run may start under the programme.

Pure: what is asked of the outside (a budget, a file) is fetched by the house and handed in.
"""
