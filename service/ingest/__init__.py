"""Inventory files into rows: encodings, delimiters, formats, COPY. No HTTP, no SQL.

`sniffing` tells what a file is, `readers` gives its rows a batch at a time, `encoding` makes rows
into the binary format of COPY. Memory is bounded whatever the file: one batch, and one row of at
most `MAX_ROW` bytes. All of it works on files, so it is for a thread.
"""
