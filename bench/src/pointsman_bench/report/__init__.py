"""What a bench measured, for people: tables in the terminal, a page, pictures.

`loading` reads the result file, bounded and checked; `facts` is what a report says, as plain
numbers; `charts` is what is drawn, as plain data, which `svg` draws for the page and `pictures` as
PNG; `page` is the HTML document; `rounds` compares several systems.
"""
