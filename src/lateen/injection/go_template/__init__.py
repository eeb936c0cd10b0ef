"""Go's text/template, as far as injection templates of users need it: an interpreter with bounds on all work.

`template.py` is the door: `parse_template(name, text)` and `Template.render(data, functions)`.
"""
