"""Pictures drawn as inline SVG: no script, no style attribute, a sentence and a table with each."""
