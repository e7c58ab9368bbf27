"""One report, three places to read it: terminal, Markdown, a self-contained HTML page. All are made of `Block`s.

write_page(path, "JNLPBA", sections)
"""
