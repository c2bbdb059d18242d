"""Runs lanes on Ray, on a laptop or a cluster: a process for each loaded model, and an outcome for every job.

    the command    `executor`: starts the driver, shows what it says, hands out outcomes; imports no Ray
      the driver   `driver`, `fleet`: joins Ray or starts a private one, decides what runs where and what is tried again
        a keeper   `keeper`, one Ray actor per loaded model: watches one process and says how it ended
          a model  `harness.executors.worker`: loads the model and answers

Ray's own restarts and retries are off: this package decides about them and records them. Every process ends with the
one above it, also when that is killed.
"""
