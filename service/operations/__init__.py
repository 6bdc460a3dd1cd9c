"""What can be asked of the service, without a wire.

One record for each thing that can be asked, with its caller. What is asked is read for the model
of its session, checked and bounded here, once for every protocol.
"""
