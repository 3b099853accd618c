"""A run from its files to its stored result: read, admitted, played, judged, ended, taken back."""
