# SPDX-License-Identifier: Apache-2.0
"""torch.compile on the CPU, which calls the image's C++ compiler."""
import torch

f = torch.compile(lambda x: torch.sin(x) + torch.cos(x) * 2)
x = torch.randn(100)
assert torch.allclose(f(x), torch.sin(x) + torch.cos(x) * 2, atol=1e-5)
