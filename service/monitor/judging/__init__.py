"""The judge: closed panes against references, and what is told of them."""
