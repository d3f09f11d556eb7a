"""How the lifting networks were trained: recordings, virtual cameras, noise, training, figures."""
