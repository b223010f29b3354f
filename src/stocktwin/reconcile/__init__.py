"""What is really there, and who is wrong?"""
