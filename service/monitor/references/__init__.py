"""What is normal: references from samples and files, and which one is in force."""
