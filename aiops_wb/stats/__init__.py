"""Functions of numbers, each module a lesson in `nbs/stats`: numpy and scipy, no database, no clock.

The ground: `points` (a score, quantised once), `counts` (small tables that add up).
How good: `performance`, `estimates` (before the labels are in), `thresholds` (what another would do).
When do we know: `arrival` (when labels are in), `pace` (how fast each kind comes), `backtest` (whether
estimates held).
How sure: `conformal` (intervals and sets), `automation` (rules for tickets), `coverage` (kept or not).
What moved: `drift` (distances, severity), `holidays` (which days a day is like), `sequential`
(evidence to read every day), `days` (what a day of labels says, and whether days are independent),
`streams` (what is asked every morning).
What follows: `decisions` (route, case, words), `retrain` (safeguards, and which model is better).
"""
