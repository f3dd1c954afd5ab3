"""What a loss costs, seen through the application itself: numbered records, written all the time.

`record` is one of them, `journal` keeps outside the site what was acknowledged, `pace` says when the next is
due, `writing` sends them, `loss` counts what came back. The probe of a drill reads them in the clone.
"""
