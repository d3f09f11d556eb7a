"""One thread, as two wait for each other beside other work; examples without chance."""

import torch
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
torch.set_num_threads(1)
