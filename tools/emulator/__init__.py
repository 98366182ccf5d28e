"""Deploy the stack to MiniStack, an independent emulator of AWS, and test it there.

``server`` runs the emulator, ``overlay`` changes the template, ``gateway`` sends requests to its
APIs, ``journey`` has the steps, and ``differences`` compares them with the known differences.
"""
