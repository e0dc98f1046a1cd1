"""What was found against the ground truth: verdicts, valid decompositions, and the gate that each module computes."""
