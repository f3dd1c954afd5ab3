"""The protocols as models, checked in every order of events."""
