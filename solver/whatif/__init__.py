"""The logic of the app, without its pages: runs, their queue and workers, inputs, and rows to show."""
