"""What would happen if?"""
