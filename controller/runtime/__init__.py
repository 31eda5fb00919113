"""The cycle and what keeps it going: observe, plan, record, apply, report, in that order.

``cycle`` is the place to start; ``looking`` and ``watching`` observe, ``apply`` writes, ``report`` and ``delivery``
tell people, ``daemon`` repeats it. The only layer that sees both the core and the ports.
"""
