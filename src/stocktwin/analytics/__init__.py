"""What is usual, what is strange, what comes next?"""
