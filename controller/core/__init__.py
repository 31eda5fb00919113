"""Judgement: what this cycle may change, and why the rest may not. Pure; start reading at ``plan``.

    declared + observed + recorded  ->  plan_cycle  ->  Plan

``membership`` says whose a cluster is, ``rollouts`` what a group sets out for, ``progress`` what became of what was
started, ``stops`` what failures and people stop, ``soak`` how long waves ran quietly, ``waves`` who is next,
``admission`` asks every gate, ``explain`` puts it into words. ``recall`` folds ledger entries into History.
"""
