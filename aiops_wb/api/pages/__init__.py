"""The pages of the service: what the API tells and takes, for people who read and click.

Every page asks the functions that answer the API, so that both tell the same. `frame` draws,
`visitors` says who looks, `signing_in` lets them in and out, `live` tells when something changed;
the others are the pages, a subject each. Where no script runs, links and forms do the same.
"""
