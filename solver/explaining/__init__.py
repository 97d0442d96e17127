"""What is asked about an answer: what binds, what it is worth, what comes next, what it is compared with."""
