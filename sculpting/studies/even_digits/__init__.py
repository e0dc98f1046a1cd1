"""Even digits by small networks, made from a teacher or trained from scratch."""
