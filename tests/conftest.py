"""One thread for every test: two of them wait for each other where something else is running."""

import torch

torch.set_num_threads(1)
