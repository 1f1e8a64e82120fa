"""What people look at: tables, pictures, reports and pages.

Content: `tables` and `plots`, a module for each report; `sliders`, which a page moves by a script;
`vocabulary` names and writes every figure.
Reports: `jobs` (what is asked, what came of it), `engine` (in processes of their own, watched),
`notebook` (one of them, executed and turned into a page).
Pages: `pages` (each day, and the front door), `manifest` (what they rest on), `frame` and
`templates` (one look for all).
"""
